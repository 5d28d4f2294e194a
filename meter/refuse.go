package meter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"powerspy2/bluez"
	"powerspy2/powerspy"
	"powerspy2/rfcomm"
)

// refuse decides from facts what a step is good for.
func (r *meterRecoverer) refuse(ctx context.Context, s Step, reason error) string {
	is := func(cause error) bool { return errors.Is(reason, cause) }
	// A connection of our own that nobody answers any more keeps the channel
	// busy until the radio link is given up.
	ours := !r.byHand && time.Since(r.outage) < linkLost
	others := is(rfcomm.ErrBusy) && !ours || is(rfcomm.ErrOccupied)
	switch s {
	case Drain:
		if !r.byHand && (r.m == nil || is(powerspy.ErrLink)) {
			return "there is no link"
		}
		return ""
	case Reconnect:
		return ""
	case PowerCycle:
		switch {
		case r.limit.PowerCycle == nil:
			return "no power-cycle command was given"
		case others:
			return "somebody else uses the meter"
		case !r.cycled.IsZero() && time.Since(r.cycled) < powerPause:
			return fmt.Sprintf("it was done less than %v ago", powerPause)
		}
		return ""
	}
	switch {
	case r.route.target.Kind != Bluetooth:
		return "the meter is not reached by Bluetooth"
	case others:
		return "somebody else uses the meter"
	case s > Rebond && (is(rfcomm.ErrAbsent) || is(bluez.ErrPageTimeout)):
		return "the meter is out of reach, which is no fault of this machine"
	case s == Relink && isKeyRefused(reason):
		return "the meter refuses the key"
	case s == Rebond && isKeyRefused(reason):
		return ""
	case s == Rebond:
		return "the meter did not refuse the key"
	}
	return r.refuseRadio(ctx, s)
}

// refuseRadio is refuse for the steps that concern all of this machine's
// Bluetooth, or need its service.
func (r *meterRecoverer) refuseRadio(ctx context.Context, s Step) string {
	if s == RestartService && r.forbidden {
		return "this user may not restart the Bluetooth service"
	}
	if s > Relink && r.taken[s] {
		return "it did not help before in this outage"
	}
	d, err := r.route.host.bus(ctx)
	if err != nil {
		if s == RestartService {
			return ""
		}
		return "the Bluetooth service is not there"
	}
	defer d.Close() // nothing is lost when hanging up fails
	a, err := r.adapter(ctx, d)
	if err != nil {
		if s == RestartService && !errors.Is(err, ErrAdapterGone) {
			return ""
		}
		return err.Error()
	}
	linked, others, err := r.linked(ctx, d, a)
	switch {
	case err != nil:
		return err.Error()
	case s == Relink && !a.Powered, s == RestartService && !a.Powered:
		return "the adapter is switched off"
	case s == Relink && !linked:
		return "there is no radio link"
	case s == Relink:
		return ""
	case !a.Powered && adapterBlock(r.route.host.files, a.ID) != nil:
		return "the adapter is blocked (rfkill)"
	case !a.Powered && !r.switchedOff && !r.limit.AllowAdapterReset:
		return "somebody has switched the adapter off"
	case others > 0 && !r.limit.AllowAdapterReset:
		return fmt.Sprintf("%d other devices are connected through the adapter", others)
	}
	return ""
}

// adapter returns the adapter by which the meter was reached, whatever its
// number is now, and whether it is on or off.
func (r *meterRecoverer) adapter(ctx context.Context, d daemon) (bluez.Adapter, error) {
	all, err := d.Adapters(ctx)
	if err != nil {
		return bluez.Adapter{}, explainBlueZ("list the adapters", err)
	}
	for _, a := range all {
		if a.Address == r.route.target.Adapter {
			return a, nil
		}
	}
	return bluez.Adapter{}, ErrAdapterGone
}

// linked reports whether there is a radio link to the meter, and how many other
// devices the adapter is connected to.
func (r *meterRecoverer) linked(ctx context.Context, d daemon, a bluez.Adapter) (linked bool, others int, err error) {
	devices, err := d.Devices(ctx)
	if err != nil {
		return false, 0, explainBlueZ("list the devices", err)
	}
	for _, dev := range devices {
		switch {
		case dev.Adapter != a.ID || !dev.Connected:
		case dev.Address == r.route.target.Address:
			linked = true
		default:
			others++
		}
	}
	return linked, others, nil
}
