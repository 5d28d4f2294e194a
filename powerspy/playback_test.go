package powerspy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A step is one thing that a scripted meter does.
type step struct {
	want  string        // what the client must write next
	send  string        // what the meter sends
	pause time.Duration // what it waits
}

func want(s string) step         { return step{want: s} }
func send(s string) step         { return step{send: s} }
func pause(d time.Duration) step { return step{pause: d} }
func onWant(w, s string) []step  { return []step{want(w), send(s)} }
func script(parts ...[]step) (all []step) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// A playback is a scripted meter. It fails the test if the client writes
// anything other than the script says, and if at the end of the test part of
// the script has not happened or bytes sent have not been read.
type playback struct {
	chop  int // bytes a write; all at once if zero
	steps []step
}

// start runs the script against a new client and ends it with the test.
func (pb playback) start(t *testing.T, cfg *Config) *Client {
	t.Helper()
	host, meter := net.Pipe()
	c := NewClient(host, cfg)

	// Writes have a goroutine of their own: like a real link, the pipe
	// takes bytes while nobody reads.
	out := make(chan string, len(pb.steps))
	scripted, pumped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(scripted)
		defer close(out)
		pb.run(t, meter, out)
	}()
	go func() {
		defer close(pumped)
		for s := range out {
			if rest := pb.pump(meter, s); rest != "" {
				t.Errorf("the client never read %q", rest)
				return
			}
		}
	}()
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("failed to close: %v", err)
		}
		<-scripted
		<-pumped
		if err := meter.Close(); err != nil {
			t.Errorf("failed to close the meter's end: %v", err)
		}
	})
	return c
}

func (pb playback) run(t *testing.T, r io.Reader, out chan<- string) {
	for i, s := range pb.steps {
		switch {
		case s.want != "":
			got := make([]byte, len(s.want))
			n, err := io.ReadFull(r, got)
			if string(got[:n]) != s.want || err != nil {
				t.Errorf("step %d: client wrote %q, want %q: %v", i, got[:n], s.want, err)
				return
			}
		case s.send != "":
			out <- s.send
		default:
			<-time.After(s.pause)
		}
	}
	if extra, err := io.ReadAll(r); len(extra) > 0 || err != nil {
		t.Errorf("client wrote %q after the script: %v", extra, err)
	}
}

func (pb playback) pump(w io.Writer, s string) (rest string) {
	for len(s) > 0 {
		n := len(s)
		if pb.chop > 0 {
			n = min(n, pb.chop)
		}
		if _, err := io.WriteString(w, s[:n]); err != nil {
			return s
		}
		s = s[n:]
	}
	return ""
}

// play is start for a script without further wishes.
func play(t *testing.T, steps ...step) *Client {
	t.Helper()
	return playback{steps: steps}.start(t, nil)
}

// respond returns a client of a meter that answers each request by a function.
func respond(t *testing.T, answer func(request string) string) *Client {
	t.Helper()
	host, meter := net.Pipe()
	c := NewClient(host, nil)
	// See playback. There is room for every answer that no request reads:
	// a client takes the answer to a canceled ? for that to the next.
	out := make(chan string, 10000)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(out)
		for r := bufio.NewReader(meter); ; {
			request, err := r.ReadString('>')
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Errorf("failed to read a request: %v", err)
				return
			}
			out <- answer(request)
		}
	})
	wg.Go(func() {
		var err error
		for s := range out {
			if err == nil { // until the client is gone
				_, err = io.WriteString(meter, s)
			}
		}
	})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("failed to close: %v", err)
		}
		wg.Wait()
	})
	return c
}

// Texts of real meters.
const (
	goldenFrame    = "007A1FCA 001F82FB 003AC29C 0FA9 0AB5"
	goldenIdentity = "POWERSPYC01FF35020001"
	v2Identity     = "POWERSPYR0100350304D2"
)

// identities is the identity of a meter of some generation.
var identities = map[Generation]string{V1: goldenIdentity, V2: v2Identity}

// synced is how a script begins that is not about synchronising; met, where the
// client has to know the meter.
var (
	synced = onWant("<?>", "<"+v2Identity+">")
	met    = meets(V2)
)

// meets is how a client comes to know a meter.
func meets(g Generation) []step { return twice("<?>", "<"+identities[g]+">") }

// twice is what is read until two readings agree.
func twice(w, s string) []step { return script(onWant(w, s), onWant(w, s)) }

// readsByte is how a script ends that shows that the client is of use.
var readsByte = twice("<V0E>", "<6C>")
