package meter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"powerspy2/bdaddr"
	"powerspy2/bluez"
)

const (
	// discoveryTime bounds a discovery. One inquiry lasts 10.24 s, and names
	// come only after it, so this is two of them with their names.
	discoveryTime = 30 * time.Second
	// othersTime is how long a discovery goes on after the first meter was
	// found, in case there are several.
	othersTime = 2 * time.Second
	// appearTime bounds the wait for a device that answered its page to show
	// up in a discovery.
	appearTime = 25 * time.Second
)

// A finder finds, pairs and connects to a meter by Bluetooth.
type finder struct {
	cfg    *Config
	daemon daemon
	radio  radio
}

// A place is a device as one adapter knows it.
type place struct {
	adapter bluez.Adapter
	device  bluez.Device
}

// target returns what to remember of a place.
func (p place) target() Target {
	return Target{Kind: Bluetooth, Address: p.device.Address, Name: p.device.Name, Adapter: p.adapter.Address}
}

// find finds the meter and pairs with it when that is needed.
func (f *finder) find(ctx context.Context, t Target) (Target, error) {
	f.cfg.report(Checking, "checking this machine's Bluetooth")
	adapters, err := f.adapters(ctx, t)
	if err != nil {
		return t, err
	}
	p, err := f.locate(ctx, t, adapters)
	if err != nil {
		return t, err
	}
	if t.Kind == Bluetooth {
		t.Name = cmp.Or(p.device.Name, t.Name)
		t.Adapter = p.adapter.Address
	} else {
		t = p.target()
	}
	if !p.device.Paired {
		if err := f.pair(ctx, p, t); err != nil {
			return t, err
		}
	}
	return t, nil
}

// adapter returns the adapter through which a meter that was found is reached.
func (f *finder) adapter(ctx context.Context, t Target) (bluez.Adapter, error) {
	adapters, err := f.adapters(ctx, t)
	if err != nil {
		return bluez.Adapter{}, err
	}
	i := slices.IndexFunc(adapters, func(a bluez.Adapter) bool { return a.Address == t.Adapter })
	return adapters[max(i, 0)], nil
}

// adapters returns the adapters that may be used and are switched on.
func (f *finder) adapters(ctx context.Context, t Target) ([]bluez.Adapter, error) {
	const op = "use Bluetooth"
	all, err := f.daemon.Adapters(ctx)
	if err != nil {
		return nil, explainBlueZ(op, err)
	}
	if len(all) == 0 {
		return nil, &Error{Kind: ErrNotReady, Op: op, Err: ErrNoAdapter}
	}
	var on []bluez.Adapter
	var off error
	for _, a := range all {
		switch {
		case f.cfg.Adapter != "" && !adapterIs(a, f.cfg.Adapter):
		case f.cfg.Adapter == "" && !t.Adapter.IsZero() && a.Address != t.Adapter && slices.ContainsFunc(all, func(b bluez.Adapter) bool { return b.Address == t.Adapter }):
		case !a.Powered:
			off = cmp.Or(off, adapterOff(a))
		default:
			on = append(on, a)
		}
	}
	switch {
	case len(on) > 0:
		return on, nil
	case off != nil:
		return nil, off
	}
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = fmt.Sprintf("%s (%s)", a.ID, a.Address)
	}
	return nil, &Error{
		Kind: ErrNotReady, Op: op, Err: fmt.Errorf("this machine has no adapter %s; it has %s", f.cfg.Adapter, strings.Join(names, ", ")),
	}
}

// adapterIs tells whether an adapter goes by this identifier or address.
func adapterIs(a bluez.Adapter, s string) bool {
	if a.ID == s {
		return true
	}
	addr, err := bdaddr.Parse(s)
	return err == nil && addr == a.Address
}

// locate finds the device that is meant: one that BlueZ knows, else by
// calling its address, else by discovery.
func (f *finder) locate(ctx context.Context, t Target, adapters []bluez.Adapter) (place, error) {
	known, err := f.known(ctx, adapters)
	if err != nil {
		return place{}, err
	}
	if t.Kind == Bluetooth {
		return f.locateAddress(ctx, t, adapters, known)
	}
	var paired []place
	for _, p := range known {
		if p.device.Paired && wanted(t, p.device) {
			paired = append(paired, p)
		}
	}
	if len(paired) > 0 {
		return f.choose(ctx, paired)
	}
	return f.discover(ctx, t, adapters)
}

// known returns the devices that BlueZ knows through the given adapters.
func (f *finder) known(ctx context.Context, adapters []bluez.Adapter) ([]place, error) {
	devices, err := f.daemon.Devices(ctx)
	if err != nil {
		return nil, explainBlueZ("list the known devices", err)
	}
	var ps []place
	for _, d := range devices {
		for _, a := range adapters {
			if a.ID == d.Adapter {
				ps = append(ps, place{a, d})
			}
		}
	}
	return ps, nil
}

// wanted tells whether a device that was not asked for by address is meant.
func wanted(t Target, d bluez.Device) bool {
	if t.Kind == Named {
		return hasPrefixFold(d.Name, t.Name) || hasPrefixFold(d.Alias, t.Name)
	}
	return IsPowerSpy(d.Name) || IsPowerSpy(d.Alias)
}

// IsPowerSpy tells whether an advertised name is a PowerSpy's.
func IsPowerSpy(name string) bool { return strings.HasPrefix(name, NamePrefix) }

// locateAddress finds a device by address. One that is not known is called
// first, which takes at most a page timeout (5.12 s) when it is absent, where
// a discovery would take half a minute to say so.
func (f *finder) locateAddress(ctx context.Context, t Target, adapters []bluez.Adapter, known []place) (place, error) {
	byAddress := func(p place) bool { return p.device.Address == t.Address && p.device.Paired }
	if i := slices.IndexFunc(known, byAddress); i >= 0 {
		return known[i], nil
	}
	f.cfg.report(Connecting, "calling %s", t)
	if name, err := f.radio.Present(ctx, adapters[0].Address, t.Address); err != nil {
		return place{}, explain("find "+t.String(), err)
	} else if name != "" {
		t.Name = name
	}
	return f.appear(ctx, t, adapters[0])
}

// appear waits until a device that is there shows up in a discovery, which is
// what makes BlueZ know it.
func (f *finder) appear(ctx context.Context, t Target, a bluez.Adapter) (place, error) {
	f.cfg.report(Discovering, "looking for %s", t)
	dctx, cancel := context.WithTimeout(ctx, appearTime)
	defer cancel()
	var p place
	err := f.daemon.Discover(dctx, a.ID, func(d bluez.Device) bool {
		if d.Address != t.Address {
			return false
		}
		d.Name = cmp.Or(d.Name, t.Name)
		p = place{a, d}
		return true
	})
	if err == nil {
		return p, nil
	}
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return place{}, &Error{Kind: ErrNotFound, Op: "find " + t.String(), Err: ErrHidden}
	}
	return place{}, explainBlueZ("find "+t.String(), err)
}

// discover looks for meters in the air. It ends soon after the first one, and
// asks when there are several.
func (f *finder) discover(ctx context.Context, t Target, adapters []bluez.Adapter) (place, error) {
	what := "a PowerSpy"
	if t.Kind == Named {
		what = fmt.Sprintf("a device named %s", t.Name)
	}
	a := adapters[0]
	f.cfg.report(Discovering, "looking for %s (up to %v; names take over ten seconds)", what, discoveryTime)
	dctx, cancel := context.WithTimeout(ctx, discoveryTime)
	defer cancel()
	var found []place
	others := time.AfterFunc(discoveryTime, cancel)
	defer others.Stop()
	err := f.daemon.Discover(dctx, a.ID, func(d bluez.Device) bool {
		if !wanted(t, d) || !d.InRange || slices.ContainsFunc(found, func(p place) bool { return p.device.Address == d.Address }) {
			return false
		}
		if found = append(found, place{a, d}); len(found) == 1 {
			others.Reset(othersTime)
		}
		f.cfg.report(Discovering, "found %s (%s)", cmp.Or(d.Name, d.Alias), d.Address)
		return false
	})
	switch {
	case len(found) > 0 && ctx.Err() == nil:
		return f.choose(ctx, found)
	case ctx.Err() != nil, !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled):
		return place{}, explainBlueZ("look for "+what, err)
	}
	return place{}, &Error{
		Kind: ErrNotFound, Op: "look for " + what, Err: fmt.Errorf("%w within %v", ErrNoneAnswered, discoveryTime),
	}
}

// choose settles which of several places is meant.
func (f *finder) choose(ctx context.Context, ps []place) (place, error) {
	if len(ps) == 1 {
		return ps[0], nil
	}
	targets := make([]Target, len(ps))
	for i, p := range ps {
		targets[i] = p.target()
	}
	if f.cfg.Choose == nil {
		return place{}, &Error{Kind: ErrUsage, Op: "choose a meter", Err: &SeveralError{targets}}
	}
	i, err := f.cfg.Choose(ctx, targets)
	if err != nil {
		return place{}, explain("choose a meter", err)
	}
	if i < 0 || i >= len(ps) {
		return place{}, &Error{Kind: ErrUsage, Op: "choose a meter", Err: fmt.Errorf("there is no number %d", i+1)}
	}
	return ps[i], nil
}

// isUnknown tells that BlueZ forgot a device, as it does with one that is not
// paired half a minute after it was seen.
func isUnknown(err error) bool { return errors.Is(err, os.ErrNotExist) }
