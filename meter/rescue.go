package meter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"powerspy2/bluez"
	"powerspy2/powerspy"
	"powerspy2/rfcomm"
)

const (
	// linkGone bounds the wait for a radio link to end: BlueZ lets data flow
	// for some two seconds after a Disconnect.
	linkGone = 6 * time.Second
	// linkLost is how long the kernel may keep a radio link that is dead: the
	// supervision timeout, with room.
	linkLost = 40 * time.Second
	// adapterBack bounds the wait for an adapter after it was switched on, or
	// after its service was restarted.
	adapterBack = 15 * time.Second
	// lookPause lies between looks at BlueZ while something is waited for.
	lookPause = 200 * time.Millisecond
	// powerPause lies at least between two power cycles.
	powerPause = 10 * time.Minute
	// bootPause lies between tries to connect to a meter that is starting.
	bootPause = time.Second
)

// A rescue gets a real meter to measure again.
type rescue struct {
	route    *route
	limit    Recovery
	sc       StreamConfig
	timeline *timeline
	periods  int      // in a window; 0: to be chosen
	worked   bool     // windows of so many periods came
	notes    []Status // to be told
	m        *Meter   // nil: there is no link
	byHand   bool     // there has been no stream: Drain makes a link

	outage time.Time    // when it began
	seen   surroundings // then, or before the last round of steps

	switchedOff bool // the adapter is off because of us
	forbidden   bool // this user may not restart the service
	taken       [lastStep + 1]bool
	cycled      time.Time // when the power was cycled last
}

func newRescue(r *route, sc StreamConfig, rec Recovery) *rescue {
	return &rescue{route: r, sc: sc, limit: rec, timeline: &timeline{}}
}

// first opens the meter and starts the first stream.
func (r *rescue) first(ctx context.Context) (source, error) {
	m, err := r.route.open(ctx)
	// From here on events tell what goes on, and there is nobody to ask.
	r.route.cfg.Report, r.route.cfg.AskPIN, r.route.cfg.Choose = nil, nil, nil
	if err != nil {
		return nil, err
	}
	r.m = m
	return r.start(ctx)
}

// start starts a stream on the link that there is, and waits for its first
// window. Where the meter can't keep up with windows as short as that, longer
// ones are tried in turn.
func (r *rescue) start(ctx context.Context) (source, error) {
	frequency, g := r.m.info.Frequency, r.m.info.Identity.Generation()
	if r.periods == 0 {
		r.periods = r.sc.averaging(frequency)
	}
	for {
		longer := 0
		if !r.worked {
			longer = r.sc.longer(r.periods, frequency, g)
		}
		s, err := r.begin(ctx, longer == 0)
		if err == nil {
			r.worked = true
			return s, nil
		}
		if longer == 0 || !tooShort(err) || ctx.Err() != nil {
			return nil, err
		}
		r.notes = append(r.notes, otherWindows(r.periods, longer, err))
		r.periods = longer
	}
}

// begin starts a stream and waits for its first window. It is the last try, or
// not. Whatever it started it stops when it fails.
func (r *rescue) begin(ctx context.Context, last bool) (*Stream, error) {
	s, err := r.m.stream(ctx, r.sc, r.periods, r.timeline)
	if err != nil {
		return nil, err
	}
	if last && !r.worked && r.sc.Averaging == 0 && r.periods > averagings[0] {
		s.patience = lastFirstFrame
	}
	if err := s.prime(); err != nil {
		if !errors.Is(err, powerspy.ErrLink) {
			r.m.stopStray(ctx)
		}
		return nil, err
	}
	return s, nil
}

// lengthen goes on with longer windows, where the stream that there is leaves
// too many out. Without longer ones, or on an error, there is no stream.
func (r *rescue) lengthen(ctx context.Context) (source, error) {
	longer := r.sc.longer(r.periods, r.m.info.Frequency, r.m.info.Identity.Generation())
	if longer == 0 {
		r.sc.Averaging = r.periods // as good as it gets
	} else {
		r.notes = append(r.notes, otherWindows(r.periods, longer, errLeftOut))
		r.periods = longer
	}
	if err := r.m.client.Stop(ctx); err != nil {
		return nil, explain("measure with "+r.route.target.String(), err)
	}
	return r.start(ctx)
}

func (r *rescue) averaging() int { return r.periods }

func (r *rescue) told() []Status {
	notes := r.notes
	r.notes = nil
	return notes
}

func (r *rescue) began(ctx context.Context) error {
	r.taken = [lastStep + 1]bool{}
	r.outage = time.Now()
	if err := r.stuck(); err != nil {
		return explain("measure with "+r.route.target.String(), err)
	}
	r.look(ctx)
	return nil
}

// stuck returns ErrKernelStuck when the kernel's RFCOMM is dead, of which
// nothing but a reboot helps.
func (r *rescue) stuck() error {
	if r.route.target.Kind != Bluetooth {
		return nil
	}
	if err := r.route.host.radio.Alive(); errors.Is(err, rfcomm.ErrKernelStuck) {
		return err
	}
	return nil
}

func (r *rescue) look(ctx context.Context) {
	if r.route.target.Kind == Bluetooth {
		r.seen = r.route.host.look(ctx)
	}
}

func (r *rescue) stop(ctx context.Context, stream source) error {
	switch {
	case r.stuck() != nil:
		// Nobody can reach the meter, and trying would not return.
	case stream != nil:
		return stream.Stop(ctx)
	case r.m != nil:
		r.m.stopStray(ctx)
	}
	return nil
}

func (r *rescue) info() Info {
	if r.route.info == nil {
		return Info{Target: r.route.target}
	}
	return *r.route.info
}

func (r *rescue) close() error {
	m := r.m
	r.m = nil
	// With a dead RFCOMM neither write(2) nor close(2) returns: its thread died
	// with locks that they need.
	if m == nil || r.stuck() != nil {
		return nil
	}
	return m.Close()
}

func (r *rescue) wait(ctx context.Context, d time.Duration) {
	if r.route.target.Kind == Bluetooth {
		r.route.host.wait(ctx, d, r.seen)
	} else {
		sleep(ctx, d)
	}
	r.look(ctx)
}

// refuse decides from facts what a step is good for.
func (r *rescue) refuse(ctx context.Context, s Step, reason error) string {
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
func (r *rescue) refuseRadio(ctx context.Context, s Step) string {
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
func (r *rescue) adapter(ctx context.Context, d daemon) (bluez.Adapter, error) {
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

// linked tells whether there is a radio link to the meter, and how many other
// devices the adapter is connected to.
func (r *rescue) linked(ctx context.Context, d daemon, a bluez.Adapter) (linked bool, others int, err error) {
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

// take takes a step within its time.
func (r *rescue) take(ctx context.Context, s Step) (source, error) {
	limit := stepKinds[s].limit
	sctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	do := map[Step]func(context.Context) error{
		Drain: r.drain, Reconnect: r.reconnect, Relink: r.relink, Rebond: r.rebond,
		ResetAdapter: r.resetAdapter, RestartService: r.restartService, PowerCycle: r.powerCycle,
	}[s]
	err := do(sctx)
	if err == nil {
		r.taken[s] = true
		var src source
		if src, err = r.start(ctx); err == nil {
			return src, nil
		}
	}
	if ctx.Err() == nil && sctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		// Not the end of the caller's time, which the error would pass for.
		err = fmt.Errorf("%s took longer than %v", stepKinds[s].doing, limit)
	}
	return nil, explain("measure with "+r.route.target.String(), err)
}

func (r *rescue) drain(ctx context.Context) error {
	if r.m == nil {
		return r.reconnect(ctx) // which stops a stream that runs
	}
	if err := r.m.client.Stop(ctx); err != nil {
		return err
	}
	return r.m.readFrequency(ctx) // which may have been misread
}

func (r *rescue) reconnect(ctx context.Context) error {
	// What closing a dead link has to say is known already.
	_ = r.close()
	l, err := r.route.link(ctx)
	if err != nil {
		return err
	}
	r.m, err = r.route.initialised(ctx, l)
	return err
}

func (r *rescue) relink(ctx context.Context) error {
	_ = r.close()
	err := r.withAdapter(ctx, func(d daemon, a bluez.Adapter) error {
		if err := d.Disconnect(ctx, a.ID, r.route.target.Address); err != nil && !isUnknown(err) {
			return explainBlueZ("disconnect "+r.route.target.String(), err)
		}
		return await(ctx, linkGone, "the radio link did not end", func() (bool, error) {
			linked, _, err := r.linked(ctx, d, a)
			return !linked, err
		})
	})
	if err != nil {
		return err
	}
	return r.reconnect(ctx)
}

func (r *rescue) rebond(ctx context.Context) error {
	_ = r.close()
	if err := r.route.rebond(ctx); err != nil {
		return err
	}
	err := r.reconnect(ctx)
	if err != nil {
		r.route.disown(ctx, err)
	}
	return err
}

func (r *rescue) resetAdapter(ctx context.Context) error {
	_ = r.close()
	err := r.withAdapter(ctx, func(d daemon, a bluez.Adapter) error {
		if a.Powered {
			// From here on it is ours to switch on, even if this fails half way.
			r.switchedOff = true
			if err := d.SetPowered(ctx, a.ID, false); err != nil {
				return explainBlueZ("switch off "+a.ID, err)
			}
		}
		return r.switchOn(ctx, d, a)
	})
	if err != nil {
		return err
	}
	return r.reconnect(ctx)
}

// switchOn switches an adapter on, for which it may have to be asked again
// when it was switched off a moment before.
func (r *rescue) switchOn(ctx context.Context, d daemon, a bluez.Adapter) error {
	var last error
	err := await(ctx, adapterBack, "the adapter did not come on", func() (bool, error) {
		now, err := r.adapter(ctx, d)
		if err != nil || now.Powered {
			return err == nil, err
		}
		last = d.SetPowered(ctx, a.ID, true)
		return false, nil
	})
	if err != nil {
		if last != nil {
			err = fmt.Errorf("%w: %w", err, last)
		}
		return explainBlueZ("switch on "+a.ID, err)
	}
	r.switchedOff = false
	return nil
}

func (r *rescue) restartService(ctx context.Context) error {
	_ = r.close()
	if err := r.route.host.restart(ctx); err != nil {
		if errors.Is(err, os.ErrPermission) || errors.Is(err, bluez.ErrNoDaemon) {
			r.forbidden = true
			// Not the answer to the question why the meter does not measure.
			err = fmt.Errorf("this user may not restart it: %v", err)
		}
		return explain("restart the Bluetooth service", err)
	}
	err := r.withAdapter(ctx, func(d daemon, a bluez.Adapter) error {
		return await(ctx, adapterBack, "the adapter did not come on", func() (bool, error) {
			now, err := r.adapter(ctx, d)
			return err == nil && now.Powered, nil
		})
	})
	if err != nil {
		return err
	}
	return r.reconnect(ctx)
}

// powerCycle runs the user's command, and gives the meter time to start.
func (r *rescue) powerCycle(ctx context.Context) error {
	_ = r.close()
	r.cycled = time.Now()
	if err := r.limit.PowerCycle(ctx); err != nil {
		return &Error{Kind: ErrPowerCycle, Op: "run the power-cycle command", Err: err}
	}
	for {
		err := r.reconnect(ctx)
		if err == nil || isFinal(err) || !sleep(ctx, bootPause) {
			return err
		}
	}
}

// withAdapter runs f with BlueZ and the meter's adapter.
func (r *rescue) withAdapter(ctx context.Context, f func(daemon, bluez.Adapter) error) error {
	d, err := r.route.host.bus(ctx)
	if err != nil {
		return explainBlueZ("reach the Bluetooth service", err)
	}
	defer d.Close() // nothing is lost when hanging up fails
	var a bluez.Adapter
	// A service that has just started finds its adapters one after the other.
	err = await(ctx, adapterBack, "the adapter is not there", func() (bool, error) {
		var err error
		a, err = r.adapter(ctx, d)
		return err == nil, nil
	})
	if err != nil {
		return err
	}
	return f(d, a)
}

// await looks again and again whether something is so.
func await(ctx context.Context, limit time.Duration, otherwise string, so func() (bool, error)) error {
	begun := time.Now()
	for {
		ok, err := so()
		if ok || err != nil {
			return err
		}
		if time.Since(begun) >= limit {
			return errors.New(otherwise)
		}
		if !sleep(ctx, lookPause) {
			return ctx.Err()
		}
	}
}

// sleep waits for d and tells whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
