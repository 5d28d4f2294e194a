package meter

import "context"

// Open goes from a Config to a meter that is ready to measure: it finds the
// meter, pairs with it when it is not paired, connects and reads its
// calibration. A key that the meter forgot is healed by pairing again. Errors
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
		return nil, unclaim(release, err)
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
	r := &route{cfg: cfg, host: h, finding: finding{target: t, trusted: true}}
	switch t.Kind {
	case Serial, TCP, Simulated:
		return r, nil
	case Served:
		return nil, errServed(t)
	}
	r.cfg.report(Checking, "checking this machine's Bluetooth")
	f, err := newFinder(ctx, &r.cfg, h)
	if err != nil {
		return nil, err
	}
	// The bus is needed no longer once the meter is found: the kernel carries
	// the link alone.
	defer f.close()
	r.finding, err = f.find(ctx, t)
	return r, err
}

// Meant returns the remembered meter that Target means, or else Target: any meter
// is the first of them.
func (c *Config) Meant() Target {
	t, _ := recall(c.Target, c.Remembered)
	return t
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
