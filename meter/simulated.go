package meter

import (
	"sync"

	"powerspy2/powerspy/sim"
)

// simulated is a meter in this process, made when it is first wanted. It
// outlives its connections, so that connecting again can mend it.
type simulated struct {
	once  sync.Once
	meter *sim.Meter
}

// Simulator returns the meter that a simulated target stands for, to watch
// it or to trouble it: the same one for every copy of a target that
// [ParseTarget] made, a new one each time for a target made by hand. Parameters
// that make no sense are an error, as of [sim.ParseSpec].
func (t Target) Simulator() (*sim.Meter, error) {
	cfg, err := sim.ParseSpec(t.Sim)
	if err != nil {
		return nil, err
	}
	if t.sim == nil {
		return sim.New(cfg), nil
	}
	t.sim.once.Do(func() { t.sim.meter = sim.New(cfg) })
	return t.sim.meter, nil
}
