package meter

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
)

// openSim opens a simulated meter whose truth the test can see.
func openSim(t *testing.T, spec string) (*Meter, *sim.Meter) {
	t.Helper()
	cfg, err := sim.ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	simulated := sim.New(cfg)
	l, err := openSimulated(t.Context(), simulated)
	if err != nil {
		t.Fatal(err)
	}
	r := &route{target: Target{Kind: Simulated, Sim: spec}}
	m, err := r.initialised(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	return m, simulated
}

func closeMeter(t *testing.T, m *Meter) {
	t.Helper()
	if err := m.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// TestStream compares a minute of readings at many intervals with the
// simulator's truth: every window is in exactly one reading, and what the
// readings say is what the windows were.
func TestStream(t *testing.T) {
	const link = "delay=8ms,jitter=12ms,stall=0.02,freq=49.985,load=wave,seed=7"
	tests := []struct {
		interval time.Duration
		spec     string
		readings int // in a minute
	}{
		{20 * time.Millisecond, link, 2999},
		{100 * time.Millisecond, link, 600},
		{250 * time.Millisecond, link, 240},
		{333 * time.Millisecond, link, 180},
		{time.Second, link, 60},
		{3 * time.Second, link, 20},
		{time.Second, "gen=1,freq=60.02,delay=8ms,jitter=12ms,stall=0.02", 60},
	}
	for _, tt := range tests {
		t.Run(tt.interval.String()+" "+tt.spec, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, truth := openSim(t, tt.spec)
				defer closeMeter(t, m)
				s, err := m.Stream(t.Context(), StreamConfig{Interval: tt.interval})
				if err != nil {
					t.Fatal(err)
				}
				var window int
				var energy, want float64
				var last time.Time
				for range tt.readings {
					e, err := s.Next()
					if err != nil {
						t.Fatal(err)
					}
					if e.Kind != ReadingEvent {
						t.Fatalf("unexpected event %+v", e)
					}
					r := e.Reading
					var sumP, peak float64
					for range r.Windows {
						w, ok := truth.Truth(window)
						if !ok {
							t.Fatalf("the reading has window %d, which has not ended", window)
						}
						want += w.Energy
						sumP += w.Power
						peak = max(peak, w.CurrentPeak)
						window++
					}
					energy += r.Energy
					if mean := sumP / float64(r.Windows); math.Abs(r.Power-mean) > 1e-3*math.Abs(mean)+0.05 {
						t.Fatalf("power %g W, want %g W", r.Power, mean)
					}
					if math.Abs(r.CurrentPeak-peak) > 1e-3 {
						t.Fatalf("peak current %g A, want %g A", r.CurrentPeak, peak)
					}
					if r.Start.Before(last) || r.End.Before(r.Start) {
						t.Fatalf("reading from %v to %v after one that ended at %v", r.Start, r.End, last)
					}
					last = r.End
				}
				if off := math.Abs(energy/want - 1); off > 5e-4 {
					t.Errorf("energy %g J, want %g J: off by %.3f %%", energy, want, 100*off)
				}
				if length := truthLength(t, truth, window); math.Abs(length-float64(tt.readings)*tt.interval.Seconds()) > 0.05+0.001*length {
					t.Errorf("%d readings cover %g s", tt.readings, length)
				}
				if err := s.Stop(t.Context()); err != nil {
					t.Errorf("stop: %v", err)
				}
				if truth.Measuring() {
					t.Error("the meter still measures after Stop")
				}
			})
		})
	}
}

func truthLength(t *testing.T, m *sim.Meter, windows int) float64 {
	t.Helper()
	first, ok1 := m.Truth(0)
	last, ok2 := m.Truth(windows - 1)
	if !ok1 || !ok2 {
		t.Fatal("the simulator forgot its windows")
	}
	return last.End.Sub(first.Start).Seconds()
}

// TestStreamNoise damages one frame in twenty: what is lost is in a gap, and
// no reading has a value that no window had.
func TestStreamNoise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, truth := openSim(t, "noise=0.05,chop=true,load=constant,watts=100,seed=3")
		defer closeMeter(t, m)
		s, err := m.Stream(t.Context(), StreamConfig{Interval: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		gaps := 0
		var last time.Time
		for range 1000 {
			e, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			switch e.Kind {
			case GapEvent:
				gaps++
				if !e.Gap.From.Before(e.Gap.To) || e.Gap.From.Before(last) || e.Gap.Reason == "" {
					t.Fatalf("unexpected gap %+v after %v", e.Gap, last)
				}
				last = e.Gap.To
			case ReadingEvent:
				w, _ := truth.Truth(0)
				if math.Abs(e.Reading.Power-w.Power) > 0.5 || math.Abs(e.Reading.Voltage-w.Voltage) > 1 {
					t.Fatalf("a reading of %g W, %g V", e.Reading.Power, e.Reading.Voltage)
				}
				if e.Reading.Start.Before(last) {
					t.Fatalf("reading from %v overlaps what ended at %v", e.Reading.Start, last)
				}
				last = e.Reading.End
			}
		}
		if gaps < 10 {
			t.Errorf("%d gaps from 5 %% of damaged frames", gaps)
		}
	})
}

// TestStreamSilence ends with ErrNoAnswer, in bounded time, when the meter
// falls silent with the link up.
func TestStreamSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, truth := openSim(t, "")
		defer closeMeter(t, m)
		s, err := m.Stream(t.Context(), StreamConfig{Interval: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
		truth.Silence(true)
		start := time.Now()
		for err == nil {
			_, err = s.Next()
		}
		if !errors.Is(err, ErrNoAnswer) {
			t.Errorf("unexpected error: %v", err)
		}
		if took := time.Since(start); took > 7*time.Second {
			t.Errorf("noticed after %v", took)
		}
		if _, again := s.Next(); again != err {
			t.Errorf("the next error is %v, want the same", again)
		}
	})
}

// TestStreamCancel ends with the context's error, and Stop works after it.
func TestStreamCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, truth := openSim(t, "")
		defer closeMeter(t, m)
		ctx, cancel := context.WithCancel(t.Context())
		s, err := m.Stream(ctx, StreamConfig{Interval: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(1500*time.Millisecond, cancel)
		for err == nil {
			_, err = s.Next()
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("unexpected error: %v", err)
		}
		if err := s.Stop(t.Context()); err != nil || truth.Measuring() {
			t.Errorf("stop: %v; measuring %v", err, truth.Measuring())
		}
	})
}

// TestStreamAllocs: a reading makes no garbage.
func TestStreamAllocs(t *testing.T) {
	s := &Stream{m: &Meter{calibration: powerspy.Calibration{Voltage: 0.08, Current: 0.0005}}}
	s.thread = &thread{grid: grid{interval: 20 * time.Millisecond}}
	s.base = fixedBase{}
	s.rt = new(powerspy.Realtime)
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() {
		s.take(powerspy.Frame{VoltageSquare: 8_000_000, Power: 1000}, now)
		if s.queued != 1 {
			t.Fatal("a window was no reading")
		}
		s.queued = 0
	}); n != 0 {
		t.Errorf("%g allocations a reading", n)
	}
}

type fixedBase struct{}

func (fixedBase) Window(arrival time.Time) (time.Time, time.Time) {
	return arrival.Add(-20 * time.Millisecond), arrival
}
func (fixedBase) Lost(int)              {}
func (fixedBase) Missed() int           { return 0 }
func (fixedBase) Length() time.Duration { return 20 * time.Millisecond }
func (fixedBase) Frequency() float64    { return 50 }

// TestOpenPlain opens the meters that need no Bluetooth, by their text form.
func TestOpenPlain(t *testing.T) {
	target, err := ParseTarget("sim:gen=1,serial=77")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Open(t.Context(), Config{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	defer closeMeter(t, m)
	if id := m.Info().Identity; id.Serial != 77 || id.Generation() != powerspy.V1 {
		t.Errorf("unexpected identity %+v", id)
	}
	for _, tt := range []struct {
		device string
		kind   error
	}{
		{"/nonexistent/tty", ErrNotFound},
		{"/dev/null", nil},
		{"tcp://127.0.0.1:1", ErrNotFound},
	} {
		target, err := ParseTarget(tt.device)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Open(t.Context(), Config{Target: target})
		if err == nil || tt.kind != nil && !errors.Is(err, tt.kind) {
			t.Errorf("%s: unexpected error: %v", tt.device, err)
		}
	}
}
