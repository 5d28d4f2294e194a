package bridge

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
)

// quiet is a meter that answers at once.
const quiet = "delay=0s,jitter=0s,stall=0,serial=1"

func simulated(t *testing.T, spec string) *sim.Meter {
	t.Helper()
	cfg, err := sim.ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	return sim.New(cfg)
}

// A meter that can't be reached is tried again, less and less often; an error
// that trying does not mend ends the bridge.
func TestDialFails(t *testing.T) {
	passing, wrongPIN := errors.New("key refused"), errors.New("wrong PIN")
	tests := []struct {
		name   string
		fails  []error
		want   error
		atMost time.Duration // until the link, or the end
	}{
		{name: "at once"},
		{name: "heals", fails: []error{passing, passing, passing}, atMost: 9 * time.Second},
		{name: "wrong PIN", fails: []error{wrongPIN}, want: wrongPIN},
		{name: "heals not, then a wrong PIN", fails: []error{passing, wrongPIN}, want: wrongPIN, atMost: 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := simulated(t, quiet)
				tries := 0
				connected := make(chan struct{}, 1)
				b := &Bridge{
					Dial: func(ctx context.Context) (powerspy.Link, error) {
						if tries++; tries <= len(tt.fails) {
							return nil, tt.fails[tries-1]
						}
						return m.Dial(ctx)
					},
					Final: func(err error) bool { return errors.Is(err, wrongPIN) },
					Report: func(text string) {
						if text == "connected to the meter" {
							connected <- struct{}{}
						}
					},
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				began, ended := time.Now(), make(chan error, 1)
				go func() { ended <- b.Link(ctx) }()
				c, leave := client(t, b)
				if tt.want != nil {
					if err := <-ended; !errors.Is(err, tt.want) {
						t.Errorf("Link: %v, want %v", err, tt.want)
					}
				} else {
					<-connected
				}
				if took := time.Since(began); took > tt.atMost {
					t.Errorf("it took %v, want at most %v", took, tt.atMost)
				}
				if tries > len(tt.fails)+1 {
					t.Errorf("%d tries", tries)
				}
				if tt.want != nil {
					return
				}
				synctest.Wait()
				if got := ask(t, c, bufio.NewReader(c), "<V00>"); got != "<01>" {
					t.Errorf("afterwards: %q", got)
				}
				leave()
				cancel()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("Link: %v", err)
				}
			})
		})
	}
}

var errLost = errors.New("lost")

// A mortal link carries nothing any more once it is dead, which a Write can tell at
// most.
type mortal struct {
	net.Conn
	hole net.Conn // blocks
	fail error    // what Write gives instead; errLost: nothing, as it seems
	dead atomic.Bool
}

func (l *mortal) Read(p []byte) (int, error) {
	for {
		n, err := l.Conn.Read(p)
		if err != nil || !l.dead.Load() {
			return n, err
		}
	}
}

func (l *mortal) Write(p []byte) (int, error) {
	switch {
	case !l.dead.Load():
		return l.Conn.Write(p)
	case l.fail == errLost:
		return len(p), nil
	case l.fail != nil:
		return 0, l.fail
	}
	return l.hole.Write(p)
}

func (l *mortal) SetWriteDeadline(t time.Time) error {
	return errors.Join(l.Conn.SetWriteDeadline(t), l.hole.SetWriteDeadline(t))
}

func (l *mortal) Close() error { return errors.Join(l.Conn.Close(), l.hole.Close()) }

// runMortal bridges to m over links of which the first can die.
func runMortal(t *testing.T, m *sim.Meter, fail error) (b *Bridge, first *mortal) {
	t.Helper()
	hole, far := net.Pipe()
	t.Cleanup(func() { far.Close() })
	first = &mortal{hole: hole, fail: fail}
	b = &Bridge{Dial: func(ctx context.Context) (powerspy.Link, error) {
		l, err := m.Dial(ctx)
		if err == nil && first.Conn == nil {
			first.Conn = l
			return first, nil
		}
		return l, err
	}, Report: func(text string) { t.Log(text) }}
	keep(t, b)
	return b, first
}

// A request to a link that turns out to be dead is dropped, a new link is made,
// and a stream goes on; one that was never accepted does not begin.
func TestDeadLink(t *testing.T) {
	for name, fail := range map[string]error{"blocks": nil, "fails": syscall.EPIPE} {
		for _, streams := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := simulated(t, quiet)
					b, link := runMortal(t, m, fail)
					c, leave := client(t, b)
					r := bufio.NewReader(c)
					lost := "<J0032>"
					if streams {
						if got := ask(t, c, r, lost); got != accepted {
							t.Errorf("start: %q", got)
						}
						frame(t, r)
						lost = "<V00>"
					}
					link.dead.Store(true)
					if _, err := io.WriteString(c, lost); err != nil {
						t.Fatal(err)
					}
					for n := range 5 {
						if !streams {
							break
						}
						if got := frame(t, r); !isFrame(got) {
							t.Errorf("frame %d: %q", n, got)
						}
					}
					time.Sleep(20 * time.Second) // on the bubble's clock
					if m.Measuring() != streams {
						t.Errorf("the meter measures: %v, want %v", !streams, streams)
					}
					if !streams {
						if got := ask(t, c, r, "<V00>"); got != "<01>" {
							t.Errorf("afterwards: %q", got)
						}
					}
					leave()
					synctest.Wait()
					if m.Measuring() {
						t.Error("the stream was left running")
					}
				})
			})
		}
	}
}

// A client that leaves while the meter is written to in vain does not hold up
// the next one's turn, nor the end.
func TestDeadLinkLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := simulated(t, quiet)
		b, link := runMortal(t, m, nil)
		c, leave := client(t, b)
		ask(t, c, bufio.NewReader(c), "<J0032>")
		link.dead.Store(true)
		began := time.Now()
		leave()
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
		time.Sleep(5 * time.Second) // on the bubble's clock: time for a new link
		if m.Measuring() {
			t.Error("the stream was left running")
		}
	})
}

// The end of a stream that the meter did not hear since the link was dying is
// told on the next link.
func TestEndLost(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := simulated(t, quiet)
			b, link := runMortal(t, m, errLost)
			c, leave := client(t, b)
			ask(t, c, bufio.NewReader(c), "<J0032>")
			link.dead.Store(true)
			if leaves {
				leave()
			} else if _, err := io.WriteString(c, "<Q>"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if !m.Measuring() {
				t.Error("the meter heard it")
			}
			if err := link.Close(); err != nil {
				t.Error(err)
			}
			time.Sleep(5 * time.Second) // on the bubble's clock: time for a new link
			if m.Measuring() {
				t.Error("the stream was left running")
			}
		})
	}
}

// A stream whose client ended it or left while there was no link is ended on the
// next one, and nobody hears of it.
func TestStreamEndedMeanwhile(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b, m := run(t, quiet+",away=2s/10s")
			c, leave := client(t, b)
			r := bufio.NewReader(c)
			ask(t, c, r, "<J0032>")
			frame(t, r)
			time.Sleep(3 * time.Second)
			if _, err := io.WriteString(c, "<Q>"); err != nil {
				t.Fatal(err)
			}
			if leaves {
				leave()
				c, _ = client(t, b)
				r.Reset(c)
			}
			time.Sleep(time.Minute)
			if m.Measuring() {
				t.Error("the stream went on")
			}
			got := ask(t, c, r, "<V00>")
			for !leaves && isFrame(got) { // of the time before
				got = frame(t, r)
			}
			if got != "<01>" {
				t.Errorf("afterwards: %q", got)
			}
		})
	}
}

// The next client hears nothing that the meter still has to say to the one
// before, however late that comes.
func TestNothingOfAnEarlierClient(t *testing.T) {
	for _, last := range []string{"<J0001>", "<J0005><V0E>", "<V0E>", "<?>", "<?><?>"} {
		t.Run(strings.Trim(last, "<>"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, m := run(t, "delay=200ms,jitter=0s,stall=0,serial=1")
				c, leave := client(t, b)
				if _, err := io.WriteString(c, last); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				leave()
				c, leave = client(t, b)
				if got := ask(t, c, bufio.NewReader(c), "<V00>"); got != "<01>" {
					t.Errorf("the next one was answered %q", got)
				}
				leave()
				if m.Measuring() {
					t.Error("the stream was left running")
				}
			})
		})
	}
}

// A meter that says nothing holds the next client up for a second only.
func TestSilentMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := run(t, quiet+",mute=?")
		for range 2 {
			c, leave := client(t, b)
			began := time.Now()
			if got := ask(t, c, bufio.NewReader(c), "<V00>"); got != "<01>" {
				t.Errorf("got %q", got)
			}
			if took := time.Since(began); took > answerTime {
				t.Errorf("the answer took %v", took)
			}
			leave()
		}
	})
}

// Where the meter's answer to a request of the bridge's own gets lost, the client
// gets all of its own.
func TestOwnAnswerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := run(t, quiet+",away=2s/1s,mute=Q")
		c, _ := client(t, b)
		r := bufio.NewReader(c)
		ask(t, c, r, "<J0032>")
		if _, err := io.WriteString(c, "<Q>"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second) // on the bubble's clock
		if got := ask(t, c, r, "<V00>"); got != "<01>" {
			t.Errorf("got %q", got)
		}
		if m.Measuring() {
			t.Error("the stream went on")
		}
	})
}
