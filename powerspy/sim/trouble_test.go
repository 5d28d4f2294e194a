package sim

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// incident is an Incident in time since the meter was made; to is -1 for none.
type incident struct {
	Fault    string
	From, To time.Duration
}

func incidents(m *Meter) []incident {
	var list []incident
	for _, i := range m.Incidents() {
		to := time.Duration(-1)
		if !i.To.IsZero() {
			to = i.To.Sub(m.epoch)
		}
		list = append(list, incident{i.Fault, i.From.Sub(m.epoch), to})
	}
	return list
}

func wantIncidents(t *testing.T, m *Meter, want ...incident) {
	t.Helper()
	if diff := cmp.Diff(want, incidents(m)); diff != "" {
		t.Errorf("unexpected incidents (-want +got):\n%s", diff)
	}
}

// streaming counts the frames that come until there is none for two seconds.
func (c *client) streaming() (frames int, last time.Time) {
	c.t.Helper()
	for {
		got, at := c.frame(2 * time.Second)
		if got == "" {
			return frames, last
		}
		frames, last = frames+1, at
	}
}

// A dead meter is deaf and mute for every client, and loses its state with its
// power.
func TestDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Dead: Span{10 * time.Second, 30 * time.Second}}})
		c := dial(t, m)
		c.want("<J0005>", "<K>")
		if n, last := c.streaming(); n != 99 || last.Sub(m.epoch) > 10*time.Second {
			t.Errorf("%d frames, the last after %v", n, last.Sub(m.epoch))
		}
		c.close()
		c = dial(t, m)
		c.want("<?>", "")
		if !m.Measuring() {
			t.Error("the meter stopped measuring")
		}
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != io.EOF || time.Since(m.epoch) != 40*time.Second {
			t.Errorf("got %v after %v", err, time.Since(m.epoch))
		}
		c.close()
		c = dial(t, m)
		defer c.close()
		c.want("<?>", "<POWERSPYR01FF350311D7>")
		if s, _ := m.Stream(); s.Running || s.End.Sub(m.epoch) != 40*time.Second {
			t.Errorf("the stream ended after %v", s.End.Sub(m.epoch))
		}
		wantIncidents(t, m,
			incident{"dead", 10 * time.Second, 40 * time.Second},
			incident{"drop", 40 * time.Second, 40 * time.Second})
	})
}

// Nobody has to be connected for the power to be cycled.
func TestDeadUnseen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Dead: Span{10 * time.Second, 30 * time.Second}}})
		c := dial(t, m)
		c.want("<J0005>", "<K>")
		c.close()
		time.Sleep(time.Hour)
		if m.Streams()[0].End.Sub(m.epoch) != 40*time.Second || m.Measuring() {
			t.Error("the stream ran on")
		}
		wantIncidents(t, m, incident{"dead", 10 * time.Second, 40 * time.Second})
	})
}

// Without an end it takes PowerCycle, and then the meter stays alive.
func TestDeadForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Dead: Span{After: 5 * time.Second}}})
		time.Sleep(time.Minute)
		c := dial(t, m)
		c.want("<?>", "")
		c.close()
		wantIncidents(t, m, incident{"dead", 5 * time.Second, -1})
		m.PowerCycle()
		at := time.Since(m.epoch)
		c = dial(t, m)
		defer c.close()
		c.want("<?>", "<POWERSPYR01FF350311D7>")
		wantIncidents(t, m, incident{"dead", 5 * time.Second, at})
	})
}

// What is late comes all at once, in order and whole.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Late: Span{10 * time.Second, 3 * time.Second}}})
		c := dial(t, m)
		defer c.close()
		c.want("<J0005>", "<K>")
		burst := 0
		for n := range 200 {
			got, at := c.frame(5 * time.Second)
			truth, _ := m.Truth(n)
			if want := string(appendFrame(nil, truth, m.scale)); got != want {
				t.Fatalf("frame %d is %s, want %s", n, got, want)
			}
			want := truth.End
			if since := want.Sub(m.epoch); since >= 10*time.Second && since < 13*time.Second {
				want = m.epoch.Add(13 * time.Second)
				burst++
			}
			if !at.Equal(want) {
				t.Fatalf("frame %d came after %v, want %v", n, at.Sub(m.epoch), want.Sub(m.epoch))
			}
		}
		if burst < 29 || burst > 31 {
			t.Errorf("%d frames at once", burst)
		}
		wantIncidents(t, m, incident{"late", 10 * time.Second, 13 * time.Second})
	})
}

// A meter that is away drops its client and takes no other until it is back,
// still streaming.
func TestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Away: Span{10 * time.Second, time.Minute}}})
		c := dial(t, m)
		c.want("<J0005>", "<K>")
		if n, _ := c.streaming(); n < 98 || n > 99 {
			t.Errorf("%d frames", n)
		}
		c.close()
		if _, err := m.Dial(t.Context()); !errors.Is(err, ErrAway) {
			t.Errorf("got %v", err)
		}
		client, server := net.Pipe()
		if err := m.ServeConn(t.Context(), server); !errors.Is(err, ErrAway) {
			t.Errorf("got %v", err)
		}
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("got %v, want EOF", err)
		}
		time.Sleep(time.Until(m.epoch.Add(70 * time.Second)))
		c = dial(t, m)
		defer c.close()
		if got, _ := c.frame(time.Second); !measurement(got) {
			t.Errorf("got %q: the stream ended", got)
		}
		wantIncidents(t, m,
			incident{"away", 10 * time.Second, 70 * time.Second},
			incident{"drop", 10 * time.Second, 10 * time.Second})
	})
}

func TestAwayFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Away: Span{For: time.Second}}})
		if _, err := m.Dial(t.Context()); !errors.Is(err, ErrAway) {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Second)
		c := dial(t, m)
		c.close()
		wantIncidents(t, m, incident{"away", 0, time.Second})
	})
}

// The windows that are left out are the share that was asked for; the others
// come as they are.
func TestSkip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const windows, skip = 5000, 0.05
		m := New(Config{Faults: Faults{Skip: skip}})
		c := dial(t, m)
		defer c.close()
		c.want("<J0001>", "<K>")
		came := 0
		for {
			got, at := c.frame(time.Second)
			s, _ := m.Stream()
			if s.Windows > windows {
				break
			}
			truth, _ := m.Truth(s.Windows - 1)
			if !measurement(got) || !at.Equal(truth.End) {
				t.Fatalf("got %q %v after a window", got, at.Sub(truth.End))
			}
			came++
		}
		if left := 1 - float64(came)/windows; !near(left, skip, 0.15) {
			t.Errorf("%g of the frames are left out", left)
		}
	})
}

// Connecting takes its time; on other links the first answer does.
func TestSlowConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{SlowConnect: 3 * time.Second}})
		c := dial(t, m)
		if took := time.Since(m.epoch); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
		c.close()
		conn, server := pipe()
		served := make(chan error, 1)
		begun := time.Now()
		go func() { served <- m.ServeConn(t.Context(), server) }()
		c = &client{t: t, Conn: conn}
		c.send("<V00>")
		if got, at := c.frame(time.Minute); got != "<D7>" || at.Sub(begun) != 3*time.Second {
			t.Errorf("got %q after %v", got, at.Sub(begun))
		}
		c.close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// The faults of a connection end with it.
func TestIncidentsOfConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{SilenceAfter: 2 * time.Second, SilenceFor: 10 * time.Second, HangAfter: 5 * time.Second}})
		for range 2 {
			c := dial(t, m)
			time.Sleep(7 * time.Second)
			c.close()
		}
		m.SetFaults(Faults{})
		c := dial(t, m)
		synctest.Wait()
		m.Hang()
		m.Hang()
		time.Sleep(time.Second)
		m.Silence(true)
		m.HangUntilPowerCycle()
		time.Sleep(time.Second)
		m.Silence(false)
		m.Drop()
		m.Drop()
		c.close()
		time.Sleep(time.Second)
		m.PowerCycle()
		const s = time.Second
		wantIncidents(t, m,
			incident{"silence", 2 * s, 7 * s}, incident{"hang", 5 * s, 7 * s},
			incident{"silence", 9 * s, 14 * s}, incident{"hang", 12 * s, 14 * s},
			incident{"hang", 14 * s, 16 * s}, incident{"silence", 15 * s, 16 * s}, incident{"dead", 15 * s, 17 * s},
			incident{"drop", 16 * s, 16 * s})
	})
}

func TestIncidentsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Battery: time.Minute}})
		time.Sleep(30 * 24 * time.Hour)
		list := m.Incidents()
		if len(list) > maxIncidents || len(list) < maxIncidents/2 {
			t.Errorf("%d incidents", len(list))
		}
		if age := time.Since(list[len(list)-1].From); age > 3*time.Minute {
			t.Errorf("the last one began %v ago", age)
		}
		if !slices.IsSortedFunc(list, func(a, b Incident) int { return a.From.Compare(b.From) }) {
			t.Error("not in order")
		}
	})
}

// The battery is every fault once a round, one a stretch, and follows from the
// seed.
func TestBattery(t *testing.T) {
	const mean = 30 * time.Second
	plan := func(seed uint64) []spell {
		m := New(Config{Seed: seed, Faults: Faults{Battery: mean}})
		return slices.Collect(m.spells(0, 26*mean+mean/2))
	}
	spells := plan(1)
	if len(spells) != 2*len(battery) {
		t.Fatalf("%d faults", len(spells))
	}
	for i, s := range spells {
		begin := time.Duration(i+1) * mean
		if s.from < begin || s.to > begin+mean || s.to < s.from || s.to-s.from > 10*time.Second {
			t.Errorf("fault %d lasts from %v to %v", i, s.from, s.to)
		}
	}
	for _, round := range [][]spell{spells[:len(battery)], spells[len(battery):]} {
		var got []string
		for _, s := range round {
			got = append(got, s.fault)
		}
		slices.Sort(got)
		want := slices.Sorted(slices.Values(battery[:]))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("unexpected round (-want +got):\n%s", diff)
		}
	}
	if !slices.Equal(spells, plan(1)) {
		t.Error("the same seed gives another battery")
	}
	if slices.Equal(spells, plan(2)) {
		t.Error("another seed gives the same battery")
	}
}

// A client that does no more than reconnect after three seconds of silence
// gets through every battery, and what happens to it follows from the seed.
func TestBatterySurvived(t *testing.T) {
	run := func(t *testing.T) (frames int, list []incident) {
		synctest.Test(t, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Faults.Battery = 20 * time.Second
			m := New(cfg)
			end := m.epoch.Add(20 * time.Minute)
			last := m.epoch
			for time.Now().Before(end) {
				conn, err := m.Dial(t.Context())
				if err != nil {
					time.Sleep(time.Second)
					continue
				}
				c := &client{t: t, Conn: conn}
				if _, err := io.WriteString(c, "<J0005>"); err == nil {
					for time.Now().Before(end) {
						got, at := c.frame(3 * time.Second)
						if got == "" {
							break
						}
						if !measurement(got) || foreign(got) {
							continue
						}
						if gap := at.Sub(last); gap > 20*time.Second {
							t.Errorf("no frame for %v until %v", gap, at.Sub(m.epoch))
						}
						frames, last = frames+1, at
					}
				}
				c.close()
				time.Sleep(time.Second)
			}
			if time.Since(last) > 20*time.Second {
				t.Errorf("no frame since %v", last.Sub(m.epoch))
			}
			list = incidents(m)

			// The truth of all streams is to be had, and does not overlap.
			var from time.Time
			for _, s := range m.Streams() {
				for i := range s.Windows {
					w, ok := m.StreamTruth(s.Number, i)
					if !ok || w.Start.Before(from) {
						t.Fatalf("window %d of stream %d: %t, starts %v before the last ended", i, s.Number, ok, from.Sub(w.Start))
					}
					if got := m.Energy(w.Start, w.End); !near(got, w.Energy, 1e-6) {
						t.Fatalf("window %d of stream %d has %g J, want %g", i, s.Number, w.Energy, got)
					}
					from = w.End
				}
			}
		})
		return frames, list
	}
	frames, list := run(t)
	seen := make(map[string]bool)
	for _, i := range list {
		seen[i.Fault] = true
	}
	for _, fault := range battery {
		if !seen[fault] {
			t.Errorf("no %s", fault)
		}
	}
	again, same := run(t)
	if diff := cmp.Diff(list, same); diff != "" || frames != again {
		t.Errorf("%d frames, then %d; incidents (-first +second):\n%s", frames, again, diff)
	}
}

func TestStreamsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		c := dial(t, m)
		defer c.close()
		for range maxStreams + 10 {
			c.want("<J0001>", "<K>")
		}
		list := m.Streams()
		if n := list[len(list)-1].Number; n != maxStreams+10 || len(list) > maxStreams {
			t.Errorf("%d streams, the last is %d", len(list), n)
		}
		if _, ok := m.StreamTruth(1, 0); ok {
			t.Error("the first is remembered")
		}
	})
}

// Every fault of the battery is a key of a specification.
func TestBatteryKeys(t *testing.T) {
	for _, fault := range battery {
		if !slices.ContainsFunc(Keys(), func(k Key) bool { return k.Name == fault && strings.HasPrefix(k.Description, "fault") }) {
			t.Errorf("no key %s", fault)
		}
	}
}
