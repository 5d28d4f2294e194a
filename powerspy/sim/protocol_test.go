package sim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
)

// connect returns the project's client of m.
func connect(t *testing.T, m *sim.Meter) *powerspy.Client {
	t.Helper()
	link, err := m.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := powerspy.NewClient(link, nil)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func spec(t *testing.T, s string) sim.Config {
	t.Helper()
	cfg, err := sim.ParseSpec(s)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestFileLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		m := sim.New(sim.Config{})
		c := connect(t, m)
		if list, err := c.ListFiles(ctx); err != nil || len(list.Files) != 0 {
			t.Errorf("got %+v, %v", list, err)
		}
		m.SetFiles([]sim.File{{Name: "120906.DAT", Content: []byte("hello")}, {Name: "120907.DAT"}})
		list, err := c.ListFiles(ctx)
		if err != nil {
			t.Fatal(err)
		}
		want := []powerspy.File{{Name: "120906.DAT", Size: 5}, {Name: "120907.DAT"}}
		if diff := cmp.Diff(want, list.Files); diff != "" || len(list.Odd) > 0 {
			t.Errorf("unexpected files (-want +got):\n%s", diff)
		}
		if err := c.DeleteFile(ctx, "120907.DAT"); err != nil {
			t.Error(err)
		}
		if err := c.DeleteFile(ctx, "120907.DAT"); !errors.Is(err, powerspy.ErrRefused) {
			t.Errorf("deleted twice: %v", err)
		}
		if files := m.Files(); len(files) != 1 || files[0].Name != "120906.DAT" {
			t.Errorf("got %+v", files)
		}
		// What the list says is out of date, or there is no such file.
		for _, tt := range []struct {
			file powerspy.File
			want error
		}{
			{powerspy.File{Name: "120907.DAT"}, powerspy.ErrRefused},
			{powerspy.File{Name: "120907.DAT", Size: 5000}, powerspy.ErrRefused},
			{powerspy.File{Name: "120906.DAT", Size: 4}, powerspy.ErrNotUnderstood},
			{powerspy.File{Name: "120906.DAT", Size: 6}, powerspy.ErrNotUnderstood},
			{powerspy.File{Name: "120906.DAT", Size: 3000}, powerspy.ErrNotUnderstood},
		} {
			if err := c.ReadFile(ctx, tt.file, new(bytes.Buffer), nil); !errors.Is(err, tt.want) {
				t.Errorf("%+v: %v, want %v", tt.file, err, tt.want)
			}
		}
		transfer(t, c, m)
	})
}

func TestLogLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		m := sim.New(sim.Config{Load: sim.LoadWave, LowPower: 50, Power: 150})
		c := connect(t, m)
		set := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
		if err := errors.Join(
			c.SetClock(ctx, set), c.SetLogPeriod(ctx, 100), c.StartLog(ctx),
		); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Second)
		if got, err := c.Clock(ctx, time.UTC); err != nil || got.Sub(set) != 61*time.Second {
			t.Errorf("got %v, %v", got, err)
		}
		if n, err := c.LogPeriod(ctx); n != 100 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		if err := c.StopLog(ctx); err != nil || m.Logging() {
			t.Error(err)
		}
		list, err := c.ListFiles(ctx)
		if err != nil || len(list.Files) != 1 || list.Files[0].Name != "261125.DAT" {
			t.Fatalf("got %+v, %v", list, err)
		}
		var b bytes.Buffer
		if err := c.ReadFile(ctx, list.Files[0], &b, nil); err != nil || strings.Count(b.String(), "\r\n") != 30 {
			t.Errorf("%d entries: %v", strings.Count(b.String(), "\r\n"), err)
		}
		m.SetFaults(sim.Faults{LogHang: true})
		if err := c.StartLog(ctx); !errors.Is(err, powerspy.ErrNoAnswer) {
			t.Errorf("unexpected error: %v", err)
		}
		if _, err := c.Identity(ctx); !errors.Is(err, powerspy.ErrNoAnswer) {
			t.Errorf("unexpected error: %v", err)
		}
	})
}

// A step of the load triggers a capture, which shows it, read either way, on
// both generations.
func TestCapture(t *testing.T) {
	for _, gen := range []powerspy.Generation{powerspy.V1, powerspy.V2} {
		t.Run(gen.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				cfg := spec(t, "load=step,low=20,watts=400,period=8s,pf=0.8,freq=50,drift=0")
				cfg.Generation = sim.Generation(gen)
				m := sim.New(cfg)
				c := connect(t, m)
				cals, err := c.Calibration(ctx, nil)
				if err != nil {
					t.Fatal(err)
				}
				cal := cals.Current
				counts, err := cal.Counts(powerspy.Thresholds{PowerAbove: 100})
				if err != nil {
					t.Fatal(err)
				}
				const periods, before = 10, 4
				if err := errors.Join(
					c.SetCaptureLength(ctx, periods),
					c.SetTrigger(ctx, powerspy.Trigger{Enabled: true, Pretrigger: before, Thresholds: counts}),
					c.StartCapture(ctx),
				); err != nil {
					t.Fatal(err)
				}
				if _, err := c.ReadCapture(ctx, periods); !errors.Is(err, powerspy.ErrRefused) {
					t.Errorf("unexpected error: %v", err)
				}
				if _, err := c.ReadCaptureBinary(ctx, periods); !errors.Is(err, powerspy.ErrRefused) {
					t.Errorf("unexpected error: %v", err)
				}
				seen := make(map[powerspy.Status]bool)
				if err := c.WaitCapture(ctx, func(id powerspy.Identity) { seen[id.Status] = true }); err != nil || !seen[powerspy.Waiting] || !seen[powerspy.Complete] {
					t.Fatalf("saw %v: %v", seen, err)
				}
				text, err := c.ReadCapture(ctx, periods)
				if err != nil {
					t.Fatal(err)
				}
				binary, err := c.ReadCaptureBinary(ctx, periods)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(text.Counts, binary.Counts); diff != "" || len(text.Counts) != periods*256 {
					t.Errorf("%d samples, and they differ:\n%.500s", len(text.Counts), diff)
				}
				samples := text.Samples(cal, 50)
				for p := range periods {
					var power float64
					for _, s := range samples[p*256 : (p+1)*256] {
						power += s.Voltage * s.Current / 256
					}
					want := 20.0
					if p >= before {
						want = 400
					}
					if math.Abs(power-want) > 1 {
						t.Errorf("period %d: %g W, want %g", p, power, want)
					}
				}
				if last := samples[len(samples)-1].Time; last < 199*time.Millisecond || last >= 200*time.Millisecond {
					t.Errorf("the last sample is at %v", last)
				}
				if err := c.CancelCapture(ctx); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Every command works while the stream of a client that crashed goes on.
func TestAfterCrash(t *testing.T) {
	const v2 = powerspy.V2
	commands := map[string]func(context.Context, *powerspy.Client) error{
		"L": func(ctx context.Context, c *powerspy.Client) error { return c.SetCaptureLength(ctx, 2) },
		"T": func(ctx context.Context, c *powerspy.Client) error { return c.SetTrigger(ctx, powerspy.Trigger{}) },
		"W": func(ctx context.Context, c *powerspy.Client) error { return c.WriteEEPROM(ctx, 0xF0, []byte{1, 2, 3}) },
		"V": func(ctx context.Context, c *powerspy.Client) error { return c.ReadEEPROM(ctx, 0, make([]byte, 16)) },
		"S": func(ctx context.Context, c *powerspy.Client) error { return c.StartCapture(ctx) },
		"C": func(ctx context.Context, c *powerspy.Client) error { return c.CancelCapture(ctx) },
		"E": func(ctx context.Context, c *powerspy.Client) error { return c.SetClock(ctx, time.Now()) },
		"M": func(ctx context.Context, c *powerspy.Client) error { return c.SetLogPeriod(ctx, 50) },
		"O and P": func(ctx context.Context, c *powerspy.Client) error {
			return errors.Join(c.StartLog(ctx), c.StopLog(ctx))
		},
		"Y": func(ctx context.Context, c *powerspy.Client) error { return c.DeleteFile(ctx, "120901.DAT") },
		"J": func(ctx context.Context, c *powerspy.Client) error {
			r, err := c.StartRealtime(ctx, 5)
			if err != nil {
				return err
			}
			return r.Stop(ctx)
		},
		"F": func(ctx context.Context, c *powerspy.Client) error {
			_, err := c.Frequency(ctx)
			return err
		},
		"G": func(ctx context.Context, c *powerspy.Client) error {
			_, err := c.Clock(ctx, time.UTC)
			return err
		},
		"U": func(ctx context.Context, c *powerspy.Client) error {
			list, err := c.ListFiles(ctx)
			if err == nil && len(list.Files) != 2 {
				err = fmt.Errorf("got %+v", list)
			}
			return err
		},
		"X": func(ctx context.Context, c *powerspy.Client) error {
			return c.ReadFile(ctx, powerspy.File{Name: "120902.DAT", Size: 5000}, new(bytes.Buffer), nil)
		},
		"A and B": func(ctx context.Context, c *powerspy.Client) error {
			if err := errors.Join(c.SetCaptureLength(ctx, 2), c.StartCapture(ctx), c.WaitCapture(ctx, nil)); err != nil {
				return err
			}
			_, err := c.ReadCapture(ctx, 2)
			_, err2 := c.ReadCaptureBinary(ctx, 2)
			return errors.Join(err, err2)
		},
	}
	for name, do := range commands {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := sim.New(spec(t, "files=0/5000,stall=0.1"))
				for range 5 {
					crashed, err := m.Dial(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if _, err := powerspy.NewClient(crashed, nil).StartRealtime(t.Context(), 1); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
					if err := crashed.Close(); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
					if name == "Y" {
						m.SetFiles([]sim.File{{Name: "120901.DAT"}})
					}
					link, err := m.Dial(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					c := powerspy.NewClient(link, nil)
					if err := do(t.Context(), c); err != nil {
						t.Error(err)
					}
					if err := c.Close(); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// A first generation meter is not asked for what it lacks, and resets.
func TestFirstGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		cfg := spec(t, "gen=1")
		m := sim.New(cfg)
		c := connect(t, m)
		if err := errors.Join(c.SetCaptureLength(ctx, 50), c.StartCapture(ctx)); err != nil {
			t.Fatal(err)
		}
		if err := c.Reset(ctx); err != nil {
			t.Error(err)
		}
		if id, err := c.Identity(ctx); err != nil || id.Status != powerspy.Ready {
			t.Errorf("got %+v, %v", id, err)
		}
		if err := c.StartLog(ctx); !errors.Is(err, powerspy.ErrNotSupported) {
			t.Errorf("unexpected error: %v", err)
		}
	})
}
