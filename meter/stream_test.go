package meter

import (
	"context"
	"errors"
	"math"
	"os"
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
	r := &route{finding: finding{target: Target{Kind: Simulated, Sim: spec}}}
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

// TestStreamNoise damages one frame in twenty, beside those that a real meter
// leaves out: what is missing is bridged, and no window has a value that it had not
// in truth.
func TestStreamNoise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, truth := openSim(t, "noise=0.05,chop=true,load=constant,watts=100,seed=3")
		defer closeMeter(t, m)
		s, err := m.Stream(t.Context(), StreamConfig{Interval: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		bridged := 0
		var last time.Time
		for range 5000 {
			e, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			switch e.Kind {
			case GapEvent:
				if !e.Gap.From.Before(e.Gap.To) || e.Gap.From.Before(last) || e.Gap.Reason == "" {
					t.Fatalf("unexpected gap %+v after %v", e.Gap, last)
				}
				last = e.Gap.To
			case WindowEvent:
				w, _ := truth.Truth(0)
				if math.Abs(e.Window.Power-w.Power) > 0.5 || math.Abs(e.Window.Voltage-w.Voltage) > 1 {
					t.Fatalf("a window of %g W, %g V", e.Window.Power, e.Window.Voltage)
				}
				if e.Window.Start.Before(last) {
					t.Fatalf("window from %v overlaps what ended at %v", e.Window.Start, last)
				}
				last = e.Window.End
				if e.Window.Bridged {
					bridged++
				}
			}
		}
		if bridged < 350 || bridged > 550 {
			t.Errorf("%d of 5000 windows were bridged, with 4 %% that are left out and 5 %% of damaged frames", bridged)
		}
	})
}

// TestStreamSilence ends with ErrNoAnswer, in bounded time, when the meter
// falls silent with the link up.
func TestStreamSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, truth := openSim(t, "seed=1")
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
		m, truth := openSim(t, "seed=1")
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

// TestStreamDelay: a constant delay that was measured is taken instead of half of
// the shortest round trip.
func TestStreamDelay(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{
		0: 10 * time.Millisecond, 10 * time.Millisecond: 10 * time.Millisecond, 30 * time.Millisecond: 30 * time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			m, _ := openSim(t, "link=ideal,delay=10ms,first=clean")
			defer closeMeter(t, m)
			s, err := m.Stream(t.Context(), StreamConfig{Delay: given})
			if err != nil {
				t.Fatal(err)
			}
			var last time.Duration
			for range 500 {
				e, err := s.Next()
				if err != nil {
					t.Fatal(err)
				}
				if e.Kind == WindowEvent {
					last = e.Window.Delay
				}
			}
			if off := (last - want).Abs(); off > 2*time.Millisecond {
				t.Errorf("given %v, frames come %v after their window, want %v", given, last, want)
			}
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A heldUpLink is that of a process which gets no processor time during a read: its
// deadline passes, and what has come by then is still to be read.
type heldUpLink struct {
	powerspy.Link
	next time.Duration // how long the next read takes; 0 as long as it has to
}

func (h *heldUpLink) Read(p []byte) (int, error) {
	if d := h.next; d > 0 {
		h.next = 0
		time.Sleep(d)
		return 0, os.ErrDeadlineExceeded
	}
	return h.Link.Read(p)
}

// TestStreamHeldUp: a process that was held up for longer than a meter may be silent
// takes what has come meanwhile; nothing is missing. Where nothing has come, the meter
// is silent.
func TestStreamHeldUp(t *testing.T) {
	for _, silent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			cfg, err := sim.ParseSpec("link=ideal,first=clean,seed=1")
			if err != nil {
				t.Fatal(err)
			}
			truth := sim.New(cfg)
			l, err := openSimulated(t.Context(), truth)
			if err != nil {
				t.Fatal(err)
			}
			held := &heldUpLink{Link: l}
			m, err := OpenLink(t.Context(), held)
			if err != nil {
				t.Fatal(err)
			}
			defer closeMeter(t, m)
			s, err := m.Stream(t.Context(), StreamConfig{Interval: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			var last time.Time
			for i := range 500 {
				if i%100 == 99 {
					held.next = 3 * time.Second
					truth.Silence(silent)
				}
				e, err := s.Next()
				if err != nil {
					if !silent || i < 99 || !errors.Is(err, ErrNoAnswer) {
						t.Errorf("event %d: %v", i, err)
					}
					return
				}
				if e.Kind == GapEvent || e.Kind == WindowEvent && !last.IsZero() && e.Window.Start.Sub(last).Abs() > time.Millisecond {
					t.Errorf("event %d: %+v after %v", i, e, last)
				}
				if e.Kind == WindowEvent {
					last = e.Window.End
				}
			}
			if silent {
				t.Error("a silent meter was waited for")
			}
		})
	}
}
