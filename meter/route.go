package meter

import (
	"context"
	"errors"
	"fmt"

	"powerspy2/bluez"
	"powerspy2/powerspy"
	"powerspy2/rfcomm"
)

// A Route leads to one located, paired and claimed meter, as often as is
// needed, for programs that exchange the bytes themselves. Most programs want
// [Open] or [Supervise].
type Route struct {
	route   *route
	release func() error
}

// Locate finds the meter that cfg wants, pairs with it when it is not paired (and
// opens it once, to see that it is one), and claims it until Close. It is not
// connected to yet. Errors match one of the sentinels of this package.
func Locate(ctx context.Context, cfg Config) (*Route, error) { return locate(ctx, cfg, system) }

func locate(ctx context.Context, cfg Config, h host) (*Route, error) {
	r, err := resolve(ctx, cfg, h)
	if err != nil {
		return nil, err
	}
	release, err := cfg.claim(r.target)
	if err != nil {
		return nil, err
	}
	if err := r.prove(ctx); err != nil {
		return nil, unclaim(release, err)
	}
	return &Route{route: r, release: release}, nil
}

// Dial opens a link, on which nothing has been sent. A Bluetooth meter is
// looked for first (see [powerspy2/rfcomm.Dial]), so that trying again and
// again does the kernel no harm. A key that it forgot is healed by pairing
// again. Errors match those of [Open]. Config.Trace is shown the link's bytes, a
// call a Read or Write. Dial must not be called concurrently.
func (r *Route) Dial(ctx context.Context) (powerspy.Link, error) {
	l, err := r.route.link(ctx)
	if isKeyRefused(err) {
		if err = r.route.pairAnew(ctx); err == nil {
			err = r.route.prove(ctx)
		}
		if err == nil {
			l, err = r.route.link(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	if r.route.cfg.Trace == nil {
		return l, nil
	}
	return &traced{l, r.route.cfg.Trace}, nil
}

// A traced link shows its bytes.
type traced struct {
	powerspy.Link
	trace func(sent bool, p []byte)
}

func (l *traced) Read(p []byte) (int, error) {
	n, err := l.Link.Read(p)
	l.show(false, p[:n])
	return n, err
}

func (l *traced) Write(p []byte) (int, error) {
	n, err := l.Link.Write(p)
	l.show(true, p[:n])
	return n, err
}

func (l *traced) show(sent bool, p []byte) {
	if len(p) > 0 {
		l.trace(sent, p)
	}
}

// Close gives the meter back to others, with the error of Config.Claim's
// release. It closes no links.
func (r *Route) Close() error { return r.release() }

// A route leads to one meter, as often as is needed. A Bluetooth meter is
// paired, unless it refused to be.
type route struct {
	cfg     Config
	host    host
	finding       // of a target that is Bluetooth, Serial, TCP or Simulated
	info    *Info // of the meter at the last link; nil at first

	averaging int // see Facts.Averaging
}

// attempts is how often a meter that answers wrongly or not at all is given a
// fresh link: the specification (AL/LG/0838/003 §3.2) asks to close the link,
// reopen it and start again.
const attempts = 2

// retries is how often a question is asked again before that: a single answer
// may get lost on a link that is fine.
const retries = 1

// pairedLink is link, and pairs again with a Bluetooth meter that refuses this
// machine's key (it was reset, or paired with too many others since).
func (r *route) pairedLink(ctx context.Context) (powerspy.Link, error) {
	l, err := r.link(ctx)
	if !isKeyRefused(err) {
		return l, err
	}
	if err := r.pairAnew(ctx); err != nil {
		return nil, err
	}
	return r.link(ctx)
}

func (r *route) pairAnew(ctx context.Context) error {
	r.cfg.report(Pairing, "%s has forgotten this machine, pairing again", r.target)
	return r.rebond(ctx)
}

// open connects and makes a meter of it.
func (r *route) open(ctx context.Context) (*Meter, error) {
	for try := 1; ; try++ {
		l, err := r.pairedLink(ctx)
		if err != nil {
			r.disown(ctx, err)
			return nil, err
		}
		r.cfg.report(Initialising, "reading the calibration of %s", r.target)
		m, err := r.initialised(ctx, l)
		if err == nil {
			return m, nil
		}
		if try == attempts || ctx.Err() != nil {
			r.disown(ctx, err)
			return nil, err
		}
		r.cfg.report(Connecting, "the meter did not answer properly, reconnecting")
	}
}

// initialised makes a meter of a link, which it closes when that fails.
func (r *route) initialised(ctx context.Context, l powerspy.Link) (*Meter, error) {
	m := &Meter{
		target: r.target,
		client: powerspy.NewClient(l, &powerspy.Config{Retries: retries, Trace: tracer(r.cfg.Trace)}),
	}
	known := r.recalled()
	err := m.initialise(ctx, known)
	if err == nil {
		r.learn(m, known)
		r.trust(ctx)
		return m, nil
	}
	err = explain("talk to "+r.target.String(), r.target.silent(err))
	if cerr := m.Close(); cerr != nil {
		err = fmt.Errorf("%w (and closing it: %v)", err, cerr)
	}
	return nil, err
}

// recalled returns what was learnt of the meter that was there before, at the last
// link or in an earlier run; nil: nothing.
func (r *route) recalled() *Facts {
	if r.info != nil {
		f := r.info.Facts()
		f.Averaging = r.averaging
		return &f
	}
	if r.cfg.Recall != nil {
		if f, ok := r.cfg.Recall(r.target); ok {
			return &f
		}
	}
	return nil
}

// learn keeps what an open meter told, and passes on what is new.
func (r *route) learn(m *Meter, known *Facts) {
	info := m.info
	r.info = &info
	facts := info.Facts()
	if known != nil && known.of(info.Identity) {
		facts.Averaging = known.Averaging
	}
	r.averaging = facts.Averaging
	if r.cfg.Learnt != nil && (known == nil || !known.equal(facts)) {
		r.cfg.Learnt(r.target, facts)
	}
	if r.cfg.Report == nil {
		return // a stream tells
	}
	for _, s := range m.notices {
		r.cfg.Report(s)
	}
	m.notices = nil
}

// keepsUp keeps that the meter keeps up with windows of so many mains periods, and
// with none shorter.
func (r *route) keepsUp(periods int) {
	if r.averaging == periods {
		return
	}
	r.averaging = periods
	if r.cfg.Learnt != nil {
		facts := r.info.Facts()
		facts.Averaging = periods
		r.cfg.Learnt(r.target, facts)
	}
}

// trust lets BlueZ trust the device, now that it has answered as a meter does. To
// measure with it does not depend on that.
func (r *route) trust(ctx context.Context) {
	r.ours = false
	if r.target.Kind != Bluetooth || r.target.Unpaired || r.trusted {
		return
	}
	err := r.withBlueZ(ctx, func(f *finder, a bluez.Adapter) error {
		return f.daemon.SetTrusted(ctx, a.ID, r.target.Address, true)
	})
	if err != nil {
		r.cfg.report(Initialising, "%s could not be made a trusted device: %v", r.target, err)
		return
	}
	r.trusted = true
}

// disown forgets a pairing of ours with a device that has turned out to be no
// meter, by what connecting or talking to it failed with.
func (r *route) disown(ctx context.Context, err error) {
	is := func(cause error) bool { return errors.Is(err, cause) }
	noMeter := is(rfcomm.ErrNoService) || is(rfcomm.ErrRefused) && !is(rfcomm.ErrOccupied) || is(powerspy.ErrNotUnderstood)
	if !r.ours || !noMeter {
		return
	}
	r.ours = false
	r.cfg.report(Pairing, "removing the pairing with %s, which is not a PowerSpy", r.target)
	// What it is, is what has to be told; that it stays paired is harmless beside.
	_ = r.withBlueZ(ctx, func(f *finder, a bluez.Adapter) error { return f.daemon.Remove(ctx, a.ID, r.target.Address) })
}

// prove opens the meter once, where nobody else will find out that it is one.
func (r *route) prove(ctx context.Context) error {
	if !r.ours {
		return nil
	}
	m, err := r.open(ctx)
	if err != nil {
		return err
	}
	return m.Close()
}

// withBlueZ calls use with BlueZ and the meter's adapter.
func (r *route) withBlueZ(ctx context.Context, use func(*finder, bluez.Adapter) error) error {
	f, err := newFinder(ctx, &r.cfg, r.host)
	if err != nil {
		return err
	}
	defer f.close()
	a, ok := adapterNamed(f.all, r.target.Adapter)
	if !ok {
		return &Error{Kind: ErrNotReady, Op: opBluetooth, Err: ErrAdapterGone}
	}
	return use(f, a)
}

// tracer fits a Config's Trace to package powerspy.
func tracer(trace func(sent bool, p []byte)) func(powerspy.Direction, []byte) {
	if trace == nil {
		return nil
	}
	return func(d powerspy.Direction, p []byte) { trace(d == powerspy.Sent, p) }
}
