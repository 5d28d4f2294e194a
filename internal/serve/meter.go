package serve

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"powerspy2/internal/harmless"
	"powerspy2/internal/output"
	"powerspy2/internal/serve/api"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

// A MeterConfig says which meter is served.
type MeterConfig struct {
	// Name names it among all that are served.
	Name string

	// Target is what was asked for.
	Target meter.Target

	// Open begins to measure, and reports what it does meanwhile. It is called again
	// when the measurement has ended.
	Open func(ctx context.Context, report func(meter.Status)) (measure.Source, error)
}

// A Meter is one that is served. Its methods may be called concurrently.
type Meter struct {
	config  MeterConfig
	tool    string
	log     func(line string)
	hub     *measure.Hub
	history *measure.History
	marks   marks
	pace    *rate.Limiter // of marks
	feed    *feed
	turns   turns // of the clock

	mu      sync.Mutex
	state   api.State
	reason  string
	since   time.Time
	heard   time.Time      // when anything happened last
	header  *record.Header // nil: it was never reached
	headers int            // how many there were
	window  time.Duration  // length of the last window; 0: there was none
	reading []byte         // the last one, as JSON
}

// newMeter returns a meter that remembers for so long.
func newMeter(c MeterConfig, keep time.Duration, tool string, log func(line string)) *Meter {
	m := &Meter{
		config: c, tool: tool, log: log,
		hub:     &measure.Hub{Keep: keep},
		history: &measure.History{Keep: keep, Forget: true},
		pace:    rate.NewLimiter(marksASecond, marksAtOnce),
		state:   api.Connecting, since: time.Now(), heard: time.Now(),
	}
	m.feed = &feed{sinks: []measure.Sink{m.hub, m.history, m.readings()}, fresh: true}
	return m
}

// Name returns the name that it is served under.
func (m *Meter) Name() string { return m.config.Name }

// Header returns what a recording would say of the meter; ok is false until it was
// reached. Another call returns another number where it has changed.
func (m *Meter) Header() (h record.Header, number int, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.header == nil {
		h = record.Header{Start: m.since, Tool: m.tool, Meter: record.Meter{Name: m.config.Name, Device: m.config.Target.Device()}}
		return h, 0, false
	}
	return *m.header, m.headers, true
}

// State returns whether it measures, and why not.
func (m *Meter) State() (s api.State, reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state, m.reason
}

const (
	// firstPause and longestPause are between two attempts to measure.
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// run measures until ctx ends, whatever happens.
func (m *Meter) run(ctx context.Context) {
	pause := firstPause
	for {
		err := m.measure(ctx)
		if ctx.Err() != nil {
			return
		}
		if m.feed.flowed() {
			pause = firstPause
		}
		reason := "the measurement ended"
		if err != nil {
			reason = harmless.Text(err.Error())
		}
		m.feed.broke(reason)
		m.set(api.Away, reason)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, longestPause)
	}
}

// measure measures once.
func (m *Meter) measure(ctx context.Context) error {
	src, err := m.config.Open(ctx, func(s meter.Status) { m.status(&s); m.feed.status(s) })
	if err != nil {
		return err
	}
	_, err = measure.Run(ctx, src, &watched{Meter: m, src: src, fresh: true})
	return err
}

// errClockSet ends a measurement whose times are no longer those of the clock.
var errClockSet = errors.New("the clock was set forward, and is followed from here on")

// setForward is by how much the clock has to be set forward for that. Where it is set
// back times go on by the one before: they would come twice.
const setForward = time.Second

// watched hands what a source yields to its meter.
type watched struct {
	*Meter
	src   measure.Source
	fresh bool          // the meter was connected to since the last window
	set   time.Duration // by how much the clock was set forward since
}

// Event implements measure.Sink.
func (w *watched) Event(e *meter.Event) error {
	switch e.Kind {
	case meter.WindowEvent:
		if w.fresh {
			w.fresh = false
			w.reached(w.src, &e.Window)
		}
		w.up(&e.Window)
	case meter.StatusEvent:
		w.status(&e.Status)
		w.fresh = true
		if e.Status.Phase == meter.Recovering {
			w.set = 0 // what comes then has the times of the clock
		}
		w.set += e.Status.Set
	}
	w.feed.event(e)
	if e.Kind == meter.WindowEvent {
		w.turns.window(e.Window.End, w.feed.shifted())
	}
	if w.set >= setForward {
		return errClockSet
	}
	return nil
}

// End implements measure.Sink. The stream goes on with the next measurement.
func (w *watched) End() error { return nil }

// reached takes in what a meter says of itself.
func (m *Meter) reached(src measure.Source, first *meter.Window) {
	h := record.NewHeader(src, m.tool)
	h.Meter.Name = m.config.Name
	h.Averaging = periods(first)
	if m.history.Reached().IsZero() {
		m.history.Resolution = src.Info().Resolution()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.header; old != nil && old.Meter == h.Meter && old.Averaging == h.Averaging {
		return
	}
	m.header = &h
	m.headers++
}

// up takes note of a window.
func (m *Meter) up(w *meter.Window) {
	m.mu.Lock()
	m.window = w.Length
	m.mu.Unlock()
	m.set(api.Up, "")
}

// status takes note of what is going on.
func (m *Meter) status(s *meter.Status) {
	m.mu.Lock()
	m.heard = time.Now()
	m.mu.Unlock()
	if s.Phase == meter.Stalled || s.Phase == meter.Recovering {
		m.set(api.Away, harmless.Text(s.Text))
	}
}

func (m *Meter) set(s api.State, reason string) {
	now := time.Now()
	m.mu.Lock()
	changed := m.state != s
	if changed {
		m.since = now
	}
	m.state, m.reason, m.heard = s, reason, now
	m.mu.Unlock()
	switch {
	case !changed:
	case s == api.Up:
		m.log(m.config.Name + ": measuring")
	case s == api.Away:
		m.log(m.config.Name + ": " + reason)
	}
}

// end ends the streams of readers.
func (m *Meter) end() { m.feed.end() }

// readings keeps the last reading of a second.
func (m *Meter) readings() measure.Sink {
	k := &keeper{m: m}
	sink, err := output.NewSink(output.JSONL, k, output.Options{})
	if err != nil {
		panic(err) // there are no options to be wrong
	}
	return &measure.Every{Interval: time.Second, Out: func(e *measure.Event) error {
		if e.Kind == measure.ReadingEvent {
			return sink.Event(e)
		}
		return nil
	}}
}

// keeper is a writer that keeps the last line.
type keeper struct{ m *Meter }

func (k *keeper) Write(p []byte) (int, error) {
	k.m.mu.Lock()
	defer k.m.mu.Unlock()
	k.m.reading = append(k.m.reading[:0], p...)
	return len(p), nil
}
