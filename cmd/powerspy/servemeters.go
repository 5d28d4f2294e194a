package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"powerspy2/internal/config"
	"powerspy2/internal/harmless"
	"powerspy2/internal/owner"
	"powerspy2/internal/serve"
	"powerspy2/measure"
	"powerspy2/meter"
)

// meters returns the meters that devices name.
func (s *serving) meters(devices []string) ([]serve.MeterConfig, error) {
	var list []serve.MeterConfig
	var facts sync.Mutex // around what is learnt, for all of them
	for _, text := range devices {
		target, err := meter.ParseTarget(text)
		if err != nil {
			return nil, err
		}
		if _, ok := recording(target); ok {
			return nil, &meter.Error{Kind: meter.ErrUsage, Op: "serve " + text, Err: errServeFile}
		}
		if target.Kind == meter.Served {
			return nil, &meter.Error{Kind: meter.ErrUsage, Op: "serve " + text, Err: errServeServer}
		}
		name := s.name(target)
		if target.Kind == meter.Simulated {
			name = simulatorName(list)
		}
		if slices.ContainsFunc(list, func(m serve.MeterConfig) bool { return m.Name == name }) {
			return nil, &meter.Error{Kind: meter.ErrUsage, Op: fmt.Sprintf("device %q", text), Err: fmt.Errorf("a meter called %s is given already", name)}
		}
		list = append(list, serve.MeterConfig{Name: name, Target: target, Open: s.opener(target, &facts)})
	}
	return list, nil
}

var (
	errServeFile   = errors.New("it is a file, and a server measures with meters")
	errServeServer = errors.New("it is a meter at a server, which serves it already")
)

// simulatorName returns sim, sim2, sim3 and so on.
func simulatorName(list []serve.MeterConfig) string {
	n := 1
	for _, m := range list {
		if m.Target.Kind == meter.Simulated {
			n++
		}
	}
	if n == 1 {
		return "sim"
	}
	return fmt.Sprintf("sim%d", n)
}

// name returns what a meter is served as: its alias, its name, or its address.
func (s *serving) name(t meter.Target) string {
	switch t.Kind {
	case meter.Any:
		if len(s.config.Meters) == 0 {
			return "powerspy"
		}
	case meter.TCP:
		return t.Host
	}
	if known := s.known(t); known != nil {
		t = known.Target
	}
	return harmless.Text(t.Label())
}

// alias returns the user's own name for a meter, "" if there is none.
func (s *serving) alias(t meter.Target) string {
	if known := s.known(t); known != nil {
		return known.Target.Alias
	}
	return ""
}

// known returns what is remembered of a meter; nil: nothing is.
func (s *serving) known(t meter.Target) *config.Meter {
	if t.Kind == meter.Any && len(s.config.Meters) > 0 {
		return &s.config.Meters[0]
	}
	known := s.config.Of(t)
	if known == nil && t.Kind == meter.Named {
		known, _ = s.config.Called(t.Name) // else it is looked for
	}
	return known
}

// opener returns what begins to measure with a meter.
func (s *serving) opener(t meter.Target, facts *sync.Mutex) func(context.Context, func(meter.Status)) (measure.Source, error) {
	cfg := s.meter
	cfg.Target, cfg.AskPIN, cfg.Choose = t, nil, nil // nobody answers
	cfg.Claim = s.claimServed
	recall, learnt := cfg.Recall, cfg.Learnt
	cfg.Recall = func(t meter.Target) (meter.Facts, bool) {
		facts.Lock()
		defer facts.Unlock()
		return recall(t)
	}
	cfg.Learnt = func(t meter.Target, f meter.Facts) {
		facts.Lock()
		defer facts.Unlock()
		learnt(t, f)
	}
	return func(ctx context.Context, report func(meter.Status)) (measure.Source, error) {
		cfg := cfg
		cfg.Report = report
		src, err := meter.Supervise(ctx, cfg, s.stream, s.recovery)
		if err != nil {
			return nil, err // not a nil pointer in a Source
		}
		return src, nil
	}
}

// claimServed takes a meter, and says where it can be read.
func (s *serving) claimServed(t meter.Target) (release func() error, err error) {
	me := owner.Self(s.env.args)
	me.Socket = s.socket
	return s.takeAs("the meter", owner.Key(t), me)
}
