package meter

import (
	"context"
	"fmt"

	"powerspy2/powerspy"
)

// Open goes from a Config to a meter that is ready to measure: it finds the
// meter, pairs with it when it is not paired, connects and reads its
// calibration. A key that the meter forgot is healed by pairing anew. Errors
// match one of the sentinels of this package.
func Open(ctx context.Context, cfg Config) (*Meter, error) {
	return open(ctx, cfg, system)
}

// Setup is Open for a person who sets a meter up: a remembered meter is not
// taken for "any meter", so that another one can be chosen. Errors match those
// of [Open].
func Setup(ctx context.Context, cfg Config) (*Meter, error) {
	if cfg.Target.Kind == Any {
		cfg.Remembered = nil
	}
	return open(ctx, cfg, system)
}

func open(ctx context.Context, cfg Config, h host) (*Meter, error) {
	r, err := resolve(ctx, cfg, h)
	if err != nil {
		return nil, err
	}
	release, err := cfg.claim(r.target)
	if err != nil {
		return nil, err
	}
	m, err := r.open(ctx)
	if err != nil {
		return nil, giveBack(release, err)
	}
	m.release = release
	return m, nil
}

// resolve finds the meter, and pairs with it when it is not paired.
func resolve(ctx context.Context, cfg Config, h host) (*route, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	t := cfg.Target
	if r, ok := recall(t, cfg.Remembered); ok {
		t = r
	}
	r := &route{cfg: cfg, host: h, target: t}
	switch t.Kind {
	case Serial, TCP, Simulated:
		return r, nil
	}
	d, err := h.bus(ctx)
	if err != nil {
		return nil, err
	}
	// The bus is needed no longer once the meter is found: the kernel carries
	// the link alone, and nothing is lost when hanging up fails.
	defer d.Close()
	f := &finder{cfg: &cfg, daemon: d, radio: h.radio}
	r.target, err = f.find(ctx, t)
	return r, err
}

// recall finds a target among the remembered ones.
func recall(t Target, remembered []Target) (Target, bool) {
	for _, r := range remembered {
		switch {
		case t.Kind == Any, t.Kind == Named && r.called(t.Name):
			return r, true
		case t.Kind == Bluetooth && r.Kind == Bluetooth && r.Address == t.Address:
			return r, true
		}
	}
	return t, false
}

// A route leads to one meter, as often as is needed. A Bluetooth meter is
// paired.
type route struct {
	cfg    Config
	host   host
	target Target // Bluetooth, Serial, TCP or Simulated
	info   *Info  // of the meter at the last link; nil at first
}

// attempts is how often a meter that answers wrongly or not at all is given a
// fresh link: the specification (AL/LG/0838/003 §3.2) asks to close the link,
// reopen it and start again.
const attempts = 2

// retries is how often a question is asked again before that: a single answer
// may get lost on a link that is fine.
const retries = 1

// healed is link, and heals a key that a Bluetooth meter refuses (it was reset,
// or paired with too many others since).
func (r *route) healed(ctx context.Context) (powerspy.Link, error) {
	l, err := r.link(ctx)
	if !isKeyRefused(err) {
		return l, err
	}
	r.cfg.report(Pairing, "%s has forgotten this machine, pairing again", r.target)
	if err := r.rebond(ctx); err != nil {
		return nil, err
	}
	return r.link(ctx)
}

// open connects and makes a meter of it.
func (r *route) open(ctx context.Context) (*Meter, error) {
	for try := 1; ; try++ {
		l, err := r.healed(ctx)
		if err != nil {
			return nil, err
		}
		r.cfg.report(Initialising, "reading the calibration of %s", r.target)
		m, err := r.initialised(ctx, l)
		if err == nil || try == attempts || ctx.Err() != nil {
			return m, err
		}
		r.cfg.report(Connecting, "the meter did not answer properly, connecting again")
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

// tracer fits a Config's Trace to package powerspy.
func tracer(trace func(sent bool, p []byte)) func(powerspy.Direction, []byte) {
	if trace == nil {
		return nil
	}
	return func(d powerspy.Direction, p []byte) { trace(d == powerspy.Sent, p) }
}
