package meter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bluez"
	"powerspy2/powerspy/sim"
	"powerspy2/rfcomm"
)

// A supervisedMeter is a paired meter in range whose measurement is supervised.
type supervisedMeter struct {
	t      *testing.T
	host   *fakeHost
	device *fakeDevice
	sim    *sim.Meter
	s      *Supervised
	start  time.Time

	// What came of it so far.
	windows []Window
	gaps    []Gap
	steps   []Step // that were taken
	paused  int
	last    time.Time // end of what the events cover
}

// superviseSim begins to measure with a simulated meter in range, in a bubble.
func superviseSim(t *testing.T, spec string, sc StreamConfig, rec Recovery) *supervisedMeter {
	t.Helper()
	cfg, err := sim.ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	p := &supervisedMeter{t: t, device: paired(), sim: sim.New(cfg)}
	p.device.sim = p.sim
	p.host = &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: []*fakeDevice{p.device}}
	p.start = time.Now()
	if p.s, err = supervise(t.Context(), Config{}, sc, rec, p.host.host()); err != nil {
		t.Fatal(err)
	}
	return p
}

// follow takes events until so long after the start, or an error, and checks
// that they follow each other without overlap.
func (p *supervisedMeter) follow(until time.Duration) error {
	p.t.Helper()
	for time.Since(p.start) < until {
		e, err := p.s.Next()
		if err != nil {
			return err
		}
		p.take(e)
	}
	return nil
}

func (p *supervisedMeter) take(e Event) {
	p.t.Helper()
	switch e.Kind {
	case WindowEvent:
		w := e.Window
		if w.Start.Before(p.last) || !w.End.After(w.Start) || w.Energy() <= 0 {
			p.t.Fatalf("unexpected window %+v after %v", w, p.last)
		}
		p.windows = append(p.windows, w)
		p.last = w.End
	case GapEvent:
		g := e.Gap
		if g.From.Before(p.last.Round(0)) || !g.To.After(g.From) || g.Reason == "" {
			p.t.Fatalf("unexpected gap %+v after %v", g, p.last)
		}
		p.gaps = append(p.gaps, g)
		p.last = g.To
	case StatusEvent:
		st := e.Status
		if st.Text == "" || st.Time.IsZero() {
			p.t.Fatalf("unexpected status %+v", st)
		}
		if st.Phase == Recovering {
			if st.Step == 0 {
				p.paused++
			} else {
				p.steps = append(p.steps, st.Step)
			}
		}
	}
}

// end stops the meter and closes the link.
func (p *supervisedMeter) end() {
	p.t.Helper()
	if err := p.s.Stop(p.t.Context()); err != nil {
		p.t.Errorf("stop: %v", err)
	}
	if err := p.s.Close(); err != nil {
		p.t.Errorf("close: %v", err)
	}
}

// TestSupervise injects a fault 15 s into a minute and takes it away again: the
// windows go on by themselves, after a gap that is the fault's, within ten
// seconds of its end.
func TestSupervise(t *testing.T) {
	const begin = 15 * time.Second
	off := func(h *fakeHost) { h.adapters[0].Powered = false }
	on := func(h *fakeHost) { h.adapters[0].Powered = true }
	tests := []struct {
		name     string
		fault    func(*supervisedMeter)
		lasts    time.Duration
		mend     func(*supervisedMeter)
		helped   Step          // 0: whichever
		steps    []Step        // nil: whichever
		never    []Step        // none of them
		recovery time.Duration // after the fault's end; 0: 10 s
		total    time.Duration // of the measurement; 0: a minute
	}{
		{
			name:  "silent with the link up",
			fault: func(p *supervisedMeter) { p.sim.Silence(true) }, lasts: 6 * time.Second,
			mend: func(p *supervisedMeter) { p.sim.Silence(false) },
		},
		{
			name:  "frames stop, commands work",
			fault: func(p *supervisedMeter) { p.sim.SetFaults(sim.Faults{Mute: "J"}); p.sim.Drop() }, lasts: 3 * time.Second,
			mend: func(p *supervisedMeter) { p.sim.SetFaults(sim.Faults{}) },
		},
		{
			name:  "hung until a new connection",
			fault: func(p *supervisedMeter) { p.sim.Hang() },
			steps: []Step{Drain, Reconnect},
		},
		{
			name:  "link dropped",
			fault: func(p *supervisedMeter) { p.sim.Drop() },
			steps: []Step{Reconnect}, recovery: 2 * time.Second,
		},
		{
			name: "away for twelve seconds",
			fault: func(p *supervisedMeter) {
				p.host.change(func() { p.device.away, p.device.Connected = true, false })
				p.sim.Drop()
			}, lasts: 12 * time.Second,
			mend:  func(p *supervisedMeter) { p.host.change(func() { p.device.away = false }) },
			never: []Step{ResetAdapter, RestartService},
		},
		{
			name: "away for two minutes",
			fault: func(p *supervisedMeter) {
				p.host.change(func() { p.device.away, p.device.Connected = true, false })
				p.sim.Drop()
			}, lasts: 2 * time.Minute,
			mend:  func(p *supervisedMeter) { p.host.change(func() { p.device.away = false }) },
			total: 3 * time.Minute,
		},
		{
			name: "adapter switched off by somebody",
			fault: func(p *supervisedMeter) {
				p.host.change(func() { off(p.host); p.device.Connected = false })
				p.sim.Drop()
			}, lasts: 10 * time.Second,
			mend: func(p *supervisedMeter) { p.host.change(func() { on(p.host) }) }, helped: Reconnect,
		},
		{
			name: "adapter unplugged, and back with another number",
			fault: func(p *supervisedMeter) {
				p.host.change(func() { p.host.adapters = nil; p.device.Connected = false })
				p.sim.Drop()
			}, lasts: 10 * time.Second,
			mend: func(p *supervisedMeter) {
				back := testAdapter
				back.ID = "hci1"
				p.host.change(func() { p.host.adapters = []bluez.Adapter{back}; p.device.Adapter = "hci1" })
			}, helped: Reconnect,
		},
		{
			name: "service gone for ever",
			fault: func(p *supervisedMeter) {
				p.host.change(func() { p.host.noBus = bluez.ErrNoDaemon })
				p.sim.Drop()
			},
			steps: []Step{Reconnect},
		},
		{
			name: "key forgotten",
			fault: func(p *supervisedMeter) {
				p.host.change(func() { p.device.forgot = true })
				p.sim.Drop()
			},
			steps: []Step{Reconnect, Rebond},
		},
		{
			name:  "dead until its power is cycled",
			fault: func(p *supervisedMeter) { p.sim.HangUntilPowerCycle() },
			steps: []Step{Drain, Reconnect, Relink, ResetAdapter, RestartService, PowerCycle}, recovery: 30 * time.Second,
		},
		{
			name: "channel refused for a while",
			fault: func(p *supervisedMeter) {
				p.host.change(func() { p.device.dialErr = rfcomm.ErrRefused })
				p.sim.Drop()
			}, lasts: 8 * time.Second,
			mend: func(p *supervisedMeter) { p.host.change(func() { p.device.dialErr = nil }) },
		},
	}
	for _, tt := range tests {
		for _, averaging := range []int{1, 5} {
			t.Run(fmt.Sprint(tt.name, " ", averaging), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var p *supervisedMeter
					var rec Recovery
					if slices.Contains(tt.steps, PowerCycle) {
						rec.PowerCycle = func(context.Context) error { p.sim.PowerCycle(); return nil }
					}
					p = superviseSim(t, "load=constant,watts=100,delay=8ms,jitter=5ms", StreamConfig{Averaging: averaging}, rec)
					var began, ended time.Time
					time.AfterFunc(begin, func() {
						began = time.Now()
						ended = began
						tt.fault(p)
					})
					if tt.mend != nil {
						time.AfterFunc(begin+tt.lasts, func() {
							ended = time.Now()
							tt.mend(p)
						})
					}
					total := tt.total
					if total == 0 {
						total = time.Minute
					}
					if err := p.follow(total); err != nil {
						t.Fatal(err)
					}
					p.end()
					if len(p.gaps) != 1 {
						t.Fatalf("%d gaps: %+v; steps %v", len(p.gaps), p.gaps, p.steps)
					}
					g := p.gaps[0]
					if early := began.Sub(g.From); early < -time.Second || early > 200*time.Millisecond {
						t.Errorf("the gap begins %v before the fault", early)
					}
					limit := tt.recovery
					if limit == 0 {
						limit = 10 * time.Second
					}
					if late := g.To.Sub(ended); late > limit {
						t.Errorf("the gap ends %v after the fault did", late)
					}
					t.Logf("recovered %v after the end of the fault, by %v, %d pauses", g.To.Sub(ended).Round(time.Millisecond), p.steps, p.paused)
					if tt.steps != nil {
						if diff := cmp.Diff(tt.steps, p.steps); diff != "" {
							t.Errorf("unexpected steps (-want +got):\n%s", diff)
						}
					}
					for _, s := range tt.never {
						if slices.Contains(p.steps, s) {
							t.Errorf("took %v, of which %v is of no use", p.steps, s)
						}
					}
					if n := len(p.steps); tt.helped != 0 && (n == 0 || p.steps[n-1] != tt.helped) {
						t.Errorf("%v helped, want %v", p.steps, tt.helped)
					}
					p.covers()
				})
			})
		}
	}
}

// covers checks that windows and gaps cover all the time, and what the windows
// say.
func (p *supervisedMeter) covers() {
	p.t.Helper()
	var sum time.Duration
	for _, w := range p.windows {
		sum += w.End.Sub(w.Start)
		if w.Power < 99 || w.Power > 101 {
			p.t.Errorf("a window of %g W", w.Power)
		}
	}
	for _, g := range p.gaps {
		sum += g.To.Sub(g.From)
	}
	all := p.last.Round(0).Sub(p.windows[0].Start.Round(0))
	if missing := all - sum; missing.Abs() > 50*time.Millisecond {
		p.t.Errorf("windows and gaps cover %v of %v", sum, all)
	}
}

// TestSuperviseEnds: what can't be mended ends the measurement, with the gap
// up to then.
func TestSuperviseEnds(t *testing.T) {
	tests := []struct {
		name  string
		rec   Recovery
		fault func(*supervisedMeter)
		want  error
		text  string
		max   time.Duration
	}{
		{
			name: "dead kernel",
			fault: func(p *supervisedMeter) {
				p.host.change(func() { p.host.stuck = true })
				p.sim.Drop()
			},
			want: ErrNotReady, text: "reboot", max: time.Second,
		},
		{
			name: "given up", rec: Recovery{GiveUpAfter: 90 * time.Second},
			fault: func(p *supervisedMeter) { p.sim.HangUntilPowerCycle() },
			want:  ErrNoAnswer, text: "gave up after 1m30s", max: 110 * time.Second,
		},
		{
			name: "given up, absent", rec: Recovery{GiveUpAfter: 20 * time.Second},
			fault: func(p *supervisedMeter) {
				p.host.change(func() { p.device.away = true })
				p.sim.Drop()
			},
			want: ErrNotFound, text: "respond over Bluetooth", max: 40 * time.Second,
		},
		{
			name: "another PIN",
			fault: func(p *supervisedMeter) {
				p.host.change(func() { p.device.forgot, p.device.pin = true, "9999" })
				p.sim.Drop()
			},
			want: ErrPairing, text: "PIN", max: 40 * time.Second,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := superviseSim(t, "load=constant,watts=100", StreamConfig{Interval: 100 * time.Millisecond}, tt.rec)
				if err := p.follow(5 * time.Second); err != nil {
					t.Fatal(err)
				}
				tt.fault(p)
				begin := time.Now()
				err := p.follow(time.Hour)
				if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("unexpected error: %v", err)
				}
				if took := time.Since(begin); took > tt.max {
					t.Errorf("it ended after %v, want %v at most", took, tt.max)
				}
				if len(p.gaps) != 1 {
					t.Errorf("gaps %+v", p.gaps)
				}
				if _, again := p.s.Next(); again != err {
					t.Errorf("the next error is %v", again)
				}
				if err := p.s.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestSuperviseCancel ends with the context's error and the gap so far.
func TestSuperviseCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		device := paired()
		device.sim = sim.New(sim.DefaultConfig())
		h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: []*fakeDevice{device}}
		s, err := supervise(ctx, Config{}, StreamConfig{Interval: 100 * time.Millisecond}, Recovery{}, h.host())
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(2*time.Second, device.sim.HangUntilPowerCycle)
		time.AfterFunc(20*time.Second, cancel)
		var gaps []Gap
		for err == nil {
			var e Event
			if e, err = s.Next(); e.Kind == GapEvent {
				gaps = append(gaps, e.Gap)
			}
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("unexpected error: %v", err)
		}
		if len(gaps) != 1 || gaps[0].To.Sub(gaps[0].From) < 17*time.Second {
			t.Errorf("gaps %+v", gaps)
		}
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestSuperviseStart: before the first window only a meter that is there is
// waited for, and not for ever.
func TestSuperviseStart(t *testing.T) {
	away := func(h *fakeHost) { h.air[0].away = true }
	mute := func(h *fakeHost) { h.air[0].sim.HangUntilPowerCycle() }
	tests := []struct {
		name   string
		rec    Recovery
		change func(*fakeHost)
		mend   time.Duration // the change is undone then; 0: never
		want   error
		least  time.Duration
		most   time.Duration
	}{
		{name: "absent", change: away, want: ErrNotFound, most: 6 * time.Second},
		{name: "absent, waited for", rec: Recovery{GiveUpAfter: time.Minute}, change: away, want: ErrNotFound, least: time.Minute, most: 80 * time.Second},
		{name: "comes later", rec: Recovery{GiveUpAfter: time.Minute}, change: away, mend: 30 * time.Second, least: 30 * time.Second, most: 42 * time.Second},
		{name: "hung", change: mute, want: ErrNoAnswer, least: FirstReading, most: FirstReading + 30*time.Second},
		{name: "hung, comes later", change: mute, mend: 20 * time.Second, least: 20 * time.Second, most: 32 * time.Second},
		{
			name: "no service, comes later", rec: Recovery{GiveUpAfter: time.Minute},
			change: func(h *fakeHost) { h.noBus = bluez.ErrNoDaemon }, mend: 10 * time.Second, least: 10 * time.Second, most: 15 * time.Second,
		},
		{name: "dead kernel", rec: Recovery{GiveUpAfter: time.Minute}, change: func(h *fakeHost) { h.stuck = true }, want: ErrNotReady, most: time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				device := paired()
				device.sim = sim.New(sim.DefaultConfig())
				h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: []*fakeDevice{device}}
				h.change(func() { tt.change(h) })
				if tt.mend > 0 {
					time.AfterFunc(tt.mend, func() {
						h.change(func() { device.away, h.noBus = false, nil })
						device.sim.PowerCycle()
					})
				}
				begin := time.Now()
				s, err := supervise(t.Context(), Config{}, StreamConfig{Interval: 100 * time.Millisecond}, tt.rec, h.host())
				for err == nil {
					var e Event
					if e, err = s.Next(); e.Kind == WindowEvent {
						break
					}
					if e.Kind == GapEvent {
						t.Errorf("a gap before the first window: %+v", e.Gap)
					}
				}
				took := time.Since(begin)
				if !errors.Is(err, tt.want) {
					t.Errorf("unexpected error: %v", err)
				}
				if took < tt.least || took > tt.most {
					t.Errorf("it took %v, want %v to %v", took, tt.least, tt.most)
				}
				if s == nil {
					return
				}
				if err := s.Stop(t.Context()); err != nil {
					t.Error(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
