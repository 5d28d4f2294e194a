package meter

import (
	"context"
	"fmt"

	"powerspy2/bluez"
	"powerspy2/powerspy"
)

// Open goes from a Config to a meter that is ready to measure: it finds the
// meter, pairs with it when it is not paired, connects and reads its
// calibration. A key that the meter forgot is healed by pairing anew. Errors
// match one of the sentinels of this package.
func Open(ctx context.Context, cfg Config) (*Meter, error) {
	return open(ctx, cfg, systemHost)
}

// Setup is Open for a person who sets a meter up: a remembered meter is not
// taken for "any meter", so that another one can be chosen.
func Setup(ctx context.Context, cfg Config) (*Meter, error) {
	if cfg.Target.Kind == Any {
		cfg.Remembered = nil
	}
	return open(ctx, cfg, systemHost)
}

// A dialHost returns the BlueZ and the radio to use.
type dialHost func(ctx context.Context) (daemon, radio, error)

// systemHost is the machine's own BlueZ and kernel.
func systemHost(ctx context.Context) (daemon, radio, error) {
	c, err := bluez.Dial(ctx)
	if err != nil {
		return nil, nil, explainBlueZ("reach the Bluetooth service", err)
	}
	return c, kernel{}, nil
}

func open(ctx context.Context, cfg Config, dial dialHost) (*Meter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	t := cfg.Target
	if r, ok := recall(t, cfg.Remembered); ok {
		t = r
	}
	switch t.Kind {
	case Serial, TCP, Simulated:
		return openPlain(ctx, cfg, t)
	}
	d, r, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	// The bus is needed no longer once the link is open: the kernel carries it
	// alone, and nothing is lost when hanging up fails.
	defer d.Close()
	f := &finder{cfg: &cfg, daemon: d, radio: r}
	return f.open(ctx, t)
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

// openPlain opens a target that needs no Bluetooth of ours.
func openPlain(ctx context.Context, cfg Config, t Target) (*Meter, error) {
	cfg.report(Connecting, "opening %s", t)
	return initialised(ctx, &cfg, t, func() (powerspy.Link, func() error, error) { return openLink(ctx, t) })
}

// attempts is how often a meter that answers wrongly or not at all is given a
// fresh link: the specification (AL/LG/0838/003 §3.2) asks to close the link,
// reopen it and start again.
const attempts = 2

// initialised opens a link and makes a meter of it.
func initialised(ctx context.Context, cfg *Config, t Target, link func() (powerspy.Link, func() error, error)) (*Meter, error) {
	for try := 1; ; try++ {
		l, closeLink, err := link()
		if err != nil {
			return nil, err
		}
		cfg.report(Initialising, "reading the calibration of %s", t)
		m := &Meter{
			target: t, close: closeLink,
			client: powerspy.NewClient(l, &powerspy.Config{Trace: tracer(cfg.Trace)}),
		}
		err = m.initialise(ctx)
		if err == nil {
			return m, nil
		}
		err = explain("talk to "+t.String(), err)
		if cerr := m.Close(); cerr != nil {
			err = fmt.Errorf("%w (and closing it: %v)", err, cerr)
		}
		if try == attempts || ctx.Err() != nil {
			return nil, err
		}
		cfg.report(Connecting, "the meter did not answer properly, connecting again")
	}
}

// tracer fits a Config's Trace to package powerspy.
func tracer(trace func(sent bool, p []byte)) func(powerspy.Direction, []byte) {
	if trace == nil {
		return nil
	}
	return func(d powerspy.Direction, p []byte) { trace(d == powerspy.Sent, p) }
}
