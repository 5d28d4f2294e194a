package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnswerFaults(t *testing.T) {
	tests := []struct {
		name   string
		faults Faults
		answer string // To J.
		runs   bool   // Whether J was obeyed.
	}{
		{"none", Faults{}, "<K>", true},
		{"refuse", Faults{Refuse: "FJ"}, "<Z>", false},
		{"mute", Faults{Mute: "J"}, "", true},
		{"another's", Faults{Mute: "?", Refuse: "Q", Garbage: "V"}, "<K>", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := New(Config{Faults: tt.faults})
				c := dial(t, m)
				defer c.close()
				c.want("<J03E8>", tt.answer) // Too long a window to be sent.
				if got := m.Measuring(); got != tt.runs {
					t.Errorf("real-time mode is %t", got)
				}
			})
		})
	}
}

func TestGarbageAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Garbage: "V"}})
		c := dial(t, m)
		defer c.close()
		seen := make(map[string]bool)
		for range 50 {
			got := c.ask("<V00>")
			inside := strings.TrimSuffix(strings.TrimPrefix(got, "<"), ">")
			if inside == "" || len(inside) != len(got)-2 || strings.ContainsAny(inside, "0123456789ABCDEFKZ<> ") {
				t.Fatalf("got %q", got)
			}
			seen[got] = true
		}
		if len(seen) < 40 {
			t.Errorf("%d different answers of 50", len(seen))
		}
		m.SetFaults(Faults{})
		c.want("<V00>", "<D7>")
	})
}

// Noise spoils the share of frames that was asked for. The others arrive as
// they are, and no spoiled frame passes for a frame or an answer.
func TestNoise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const frames, noise = 5000, 0.05
		m := New(Config{Faults: Faults{Noise: noise}, Load: LoadServer})
		c := dial(t, m)
		defer c.close()
		c.want("<J0001>", "<K>")
		good := make(map[string]bool)
		for n := 0; n < frames; {
			got, _ := c.frame(time.Second)
			s, _ := m.Stream()
			for ; n < s.Windows; n++ {
				truth, _ := m.Truth(n)
				good[string(appendFrame(nil, truth, currentCalibration))] = true
			}
			if measurement(got) && !foreign(got) {
				if !good[got] {
					t.Fatalf("%s was never measured", got)
				}
				delete(good, got)
			} else if len(got) < 20 {
				t.Fatalf("%q might be an answer", got)
			}
		}
		if lost := float64(len(good)) / frames; !near(lost, noise, 0.15) {
			t.Errorf("%g of the frames are lost", lost)
		}
	})
}

// foreign reports whether s has a character that no measurement has.
func foreign(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("<> 0123456789ABCDEF", r) })
}

// Every way of spoiling a frame leaves something that is none.
func TestCorrupt(t *testing.T) {
	frame := []byte("<007A1FCA 001F82FB 003AC29C 0FA9 0AB5>")
	kinds := make(map[string]bool)
	for i := range uint64(2000) {
		got := random(1).corrupt(frame, 1, i)
		if bytes.Contains(got, frame) || bytes.Count(got, []byte("<")) > 1 || bytes.Count(got, []byte(">")) > 1 {
			t.Fatalf("got %q", got)
		}
		if string(frame) != "<007A1FCA 001F82FB 003AC29C 0FA9 0AB5>" {
			t.Fatal("the frame itself was changed")
		}
		switch {
		case got[0] != '<':
			kinds["beginning"] = true
		case got[len(got)-1] != '>':
			kinds["end"] = true
		case len(got) == len(frame):
			kinds["replaced"] = true
			if !foreign(string(got)) {
				t.Fatalf("got %q, which is a frame", got)
			}
		case len(got) < len(frame)-1:
			kinds["piece"] = true
		case len(got) == len(frame)-1:
			kinds["lost"] = true
		case len(got) > len(frame)+1:
			kinds["inserted"] = true
		default:
			kinds["doubled"] = true
		}
	}
	if len(kinds) != 7 {
		t.Errorf("got only %v", kinds)
	}
}

func TestChop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Chop: true}})
		var sizes [9]int
		rw := &recorder{in: strings.NewReader(strings.Repeat("<?>", 100)), wrote: func(n int) { sizes[min(n, 8)]++ },
			closed: make(chan struct{})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.ServeConn(ctx, rw); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if want := strings.Repeat("<POWERSPYR01FF350311D7>\n\r", 100); rw.out.String() != want {
			t.Errorf("got %q", rw.out.String())
		}
		for n, count := range sizes {
			if (n >= 1 && n <= 7) != (count > 0) {
				t.Errorf("%d writes of %d bytes", count, n)
			}
		}
	})
}

// A recorder is a link whose client sends something and then only listens.
type recorder struct {
	in     io.Reader
	out    bytes.Buffer
	wrote  func(n int)
	closed chan struct{}
}

func (r *recorder) Read(p []byte) (int, error) {
	if n, err := r.in.Read(p); err == nil {
		return n, nil
	}
	<-r.closed
	return 0, os.ErrClosed
}

func (r *recorder) Write(p []byte) (int, error) {
	r.wrote(len(p))
	return r.out.Write(p)
}

func (r *recorder) Close() error {
	close(r.closed)
	return nil
}

// While silent the meter obeys but is not heard; what it says is lost.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		c := dial(t, m)
		defer c.close()
		c.want("<J0005>", "<K>")
		m.Silence(true)
		if got, _ := c.frame(10 * time.Second); got != "" {
			t.Errorf("got %q in silence", got)
		}
		c.want("<L05>", "")
		m.Silence(false)
		_, at := c.frame(time.Second)
		s, _ := m.Stream()
		if truth, _ := m.Truth(s.Windows - 1); !at.Equal(truth.End) {
			t.Errorf("first frame at %v, not the window that ended %v", at, truth.End)
		}
	})
}

func TestTimedFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{SilenceAfter: 2 * time.Second, SilenceFor: 3 * time.Second, DropAfter: 10 * time.Second}})
		for range 2 { // For each connection.
			c := dial(t, m)
			opened := time.Now()
			c.send("<J0005>")
			var silence time.Duration
			previous := opened
			for {
				got, at := c.frame(20 * time.Second)
				if got == "" {
					break
				}
				if gap := at.Sub(previous); gap > time.Second {
					silence = gap
					if since := previous.Sub(opened); since < 1850*time.Millisecond || since > 2*time.Second {
						t.Errorf("silence begins after %v", since)
					}
				}
				previous = at
			}
			if silence < 3*time.Second || silence > 3150*time.Millisecond {
				t.Errorf("silent for %v", silence)
			}
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("got %v, want EOF", err)
			}
			if age := time.Since(opened); age != 10*time.Second {
				t.Errorf("dropped after %v", age)
			}
			c.close()
		}
	})
}

func TestDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		m.Drop() // Nobody is there.
		client, server := pipe()
		served := make(chan error, 1)
		go func() { served <- m.ServeConn(t.Context(), server) }()
		synctest.Wait()
		m.Drop()
		if err := <-served; !errors.Is(err, ErrDropped) {
			t.Errorf("got %v", err)
		}
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("client got %v", err)
		}
	})
}

func TestHang(t *testing.T) {
	for name, cfg := range map[string]Config{
		"method": {}, "timed": {Faults: Faults{HangAfter: 2 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := New(cfg)
				c := dial(t, m)
				c.want("<J0005>", "<K>")
				time.Sleep(2 * time.Second)
				if name == "method" {
					m.Hang()
				}
				for { // What arrived before.
					if got, _ := c.frame(time.Second); got == "" {
						break
					}
				}
				c.want("<Q>", "")
				c.want("<?>", "")
				c.close()

				c = dial(t, m)
				defer c.close()
				if got, _ := c.frame(time.Second); !measurement(got) {
					t.Errorf("got %q: the stream ended", got)
				}
				if !m.Measuring() {
					t.Error("a request was obeyed that the meter could not hear")
				}
			})
		})
	}
}

func TestHangUntilPowerCycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		c := dial(t, m)
		c.want("<J0005>", "<K>")
		c.want("<W1A07>", "<K>")
		m.HangUntilPowerCycle()
		c.rest = nil
		c.close()
		c = dial(t, m)
		c.want("<?>", "")
		m.PowerCycle()
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("got %v, want EOF", err)
		}
		c.close()
		c = dial(t, m)
		defer c.close()
		c.want("<?>", "<POWERSPYR01FF350311D7>")
		c.want("<V1A>", "<07>")
	})
}
