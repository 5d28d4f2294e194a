package fieldtest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/internal/field"
	"powerspy2/meter"
	"powerspy2/powerspy"
)

// ready checks that a meter is neither streaming nor capturing.
func ready(t *testing.T, target meter.Target) {
	t.Helper()
	sim, err := target.Simulator()
	if err != nil {
		t.Fatal(err)
	}
	if sim.Measuring() {
		t.Error("the meter still streams")
	}
	m, err := meter.Open(context.Background(), meter.Config{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if status := m.Info().Identity.Status; status != powerspy.Ready {
		t.Errorf("the meter is %v", status)
	}
}

// Ctrl-C may come at any time: it soon ends, with what was found until then,
// and the meter as it was.
func TestInterrupted(t *testing.T) {
	for after := 50 * time.Millisecond; after < 6*time.Minute; after += after/7 + 90*time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			target, err := meter.ParseTarget("sim:link=c,files=5000")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			began := time.Now()
			f, err := Examine(ctx, Config{Meter: meter.Config{Target: target}})
			if took := time.Since(began); took > after+7*time.Second {
				t.Errorf("after %v it took %v", after, took)
			}
			if err != nil {
				if f != nil || !errors.Is(err, ctx.Err()) || after > 2*time.Second {
					t.Errorf("after %v: %v", after, err)
				}
				return
			}
			if f.Interrupted != (ctx.Err() != nil) {
				t.Errorf("after %v: interrupted %t", after, f.Interrupted)
			}
			if f.Interrupted && f.Card.First.Status == field.Done {
				t.Errorf("after %v all was done", after)
			}
			for _, s := range f.Streams {
				if s.Status == field.Done && s.Figures.Frames == 0 || s.Status != field.Done && s.Error == "" {
					t.Errorf("after %v: windows of %d periods: %+v, %d frames", after, s.Periods, s.Outcome, len(s.Frames))
				}
			}
			ready(t, target)
		})
	}
}

// A link that breaks, or a meter that hangs, costs what was being asked, and no
// more.
func TestTrouble(t *testing.T) {
	for name, tt := range map[string]struct {
		spec   string
		failed int // at most
		longer time.Duration
	}{
		"drop":    {"link=ideal,drop=47s", 8, time.Minute},
		"hang":    {"link=ideal,hang=47s", 8, 4 * time.Minute},
		"silence": {"link=b,silence=47s/5s", 4, time.Minute},
		"away":    {"link=b,away=100s/20s", 3, time.Minute},
		"lose":    {"link=b,lose=0.01", 5, time.Minute},
		"refused": {"link=ideal,refuse=JSU", 11, 0},
		"mute":    {"link=ideal,mute=JSU", 11, 5 * time.Minute},
		"garbage": {"link=ideal,garbage-answer=AU,noise=0.05,chop", 5, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target, err := meter.ParseTarget("sim:files=5000," + tt.spec)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				f, err := Examine(t.Context(), Config{Meter: meter.Config{Target: target}})
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > 5*time.Minute+tt.longer {
					t.Errorf("it took %v", took)
				}
				failed := 0
				for _, o := range outcomes(f) {
					if o.Status == field.Done {
						continue
					}
					failed++
					t.Logf("%s: %s", o.Status, o.Error)
					if o.Error == "" {
						t.Error("a failure without a reason")
					}
				}
				if failed == 0 && tt.spec != "link=b,lose=0.01" || failed > tt.failed {
					t.Errorf("%d steps failed, at most %d may", failed, tt.failed)
				}
				if sim, err := target.Simulator(); err != nil || sim.Measuring() {
					t.Errorf("the meter still streams (%v)", err)
				}
			})
		})
	}
}

// A meter that dies for good ends a field test in a bounded time, with what was
// found before.
func TestDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, err := meter.ParseTarget("sim:link=ideal,dead=60s")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		f, err := Examine(t.Context(), Config{Meter: meter.Config{Target: target}})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 3*time.Minute {
			t.Errorf("it took %v", took)
		}
		if f.Streams[0].Status != field.Done || f.Streams[5].Status != field.NotAsked || f.Card.Status != field.NotAsked || f.Interrupted {
			t.Errorf("streams %+v and %+v, card %+v", f.Streams[0].Outcome, f.Streams[5].Outcome, f.Card.Outcome)
		}
	})
}

// A capture that somebody waits for goes on.
func TestCapturing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target, err := meter.ParseTarget("sim:link=ideal")
		if err != nil {
			t.Fatal(err)
		}
		status := func(f func(*powerspy.Client) error) powerspy.Status {
			m, err := meter.Open(t.Context(), meter.Config{Target: target})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if err := f(m.Client()); err != nil {
				t.Fatal(err)
			}
			return m.Info().Identity.Status
		}
		status(func(c *powerspy.Client) error {
			never := powerspy.Trigger{Enabled: true}
			never.Thresholds[0] = 65535 // of voltage
			return errors.Join(c.SetTrigger(t.Context(), never), c.StartCapture(t.Context()))
		})
		if _, err := Examine(t.Context(), Config{Meter: meter.Config{Target: target}}); !errors.Is(err, ErrCapturing) || !errors.Is(err, meter.ErrNoAnswer) {
			t.Errorf("unexpected error: %v", err)
		}
		if got := status(func(*powerspy.Client) error { return nil }); got != powerspy.Waiting {
			t.Errorf("the meter is %v", got)
		}
	})
}
