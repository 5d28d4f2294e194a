package bridge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"powerspy2/internal/terminal"
	"powerspy2/powerspy"
)

// within is how long anything may take that has to happen.
const within = time.Minute

// A torrent is a meter that sends its frames, which are numbered, as fast as they
// are read. It obeys J, Q, ? and V.
type torrent struct {
	mu      sync.Mutex // guards the fields below
	changed *sync.Cond
	sent    int // frames
	streams bool
}

func newTorrent() *torrent {
	m := &torrent{}
	m.changed = sync.NewCond(&m.mu)
	return m
}

// serve is the meter's end of a link.
func (m *torrent) serve(c net.Conn) {
	defer c.Close()
	requests := make(chan string)
	go func() {
		defer close(requests)
		for r := bufio.NewReader(c); ; {
			request, err := r.ReadString('>')
			if err != nil {
				return
			}
			requests <- request
		}
	}()
	for {
		var request string
		open := true
		if m.streaming() {
			select {
			case request, open = <-requests:
			default:
				m.frame(c)
				continue
			}
		} else {
			request, open = <-requests
		}
		if !open {
			return
		}
		_, _ = io.WriteString(c, m.answer(request)+"\n\r") // a failure ends the requests
	}
}

func (m *torrent) streaming() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.streams
}

func (m *torrent) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent
}

// frame sends a frame, whose number stands for the power.
func (m *torrent) frame(w io.Writer) {
	_, err := fmt.Fprintf(w, "<00000001 00000001 %08X 0001 0001>\n\r", m.count())
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.streams = false
	}
	m.sent++
	m.changed.Broadcast()
}

func (m *torrent) answer(request string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch request[:2] {
	case "<J":
		m.streams = true
	case "<Q":
		m.streams = false
		m.changed.Broadcast()
	case "<?":
		return "<POWERSPYR01FF35030001>"
	case "<V":
		return "<01>"
	}
	return "<K>"
}

// wait waits until f of the meter's state holds.
func (m *torrent) wait(f func() bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for !f() {
		m.changed.Wait()
	}
}

// number is the number of a frame.
func number(t *testing.T, s string) int {
	t.Helper()
	f, err := powerspy.ParseFrame([]byte(strings.Trim(s, "\n\r<>")))
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return int(f.Power)
}

// fronts are where clients come from: they return a client, and its connection.
var fronts = map[string]func(t *testing.T) func() (io.ReadWriteCloser, io.ReadWriteCloser){
	"terminal": func(t *testing.T) func() (io.ReadWriteCloser, io.ReadWriteCloser) {
		link := filepath.Join(t.TempDir(), "tty")
		l, err := terminal.Listen(link)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return func() (io.ReadWriteCloser, io.ReadWriteCloser) {
			f, err := os.OpenFile(link, os.O_RDWR|syscall.O_NOCTTY, 0)
			if err != nil {
				t.Fatal(err)
			}
			c, err := l.Accept()
			if err := errors.Join(err, f.SetDeadline(time.Now().Add(within))); err != nil {
				t.Fatal(err)
			}
			return f, c
		}
	},
	"TCP": func(t *testing.T) func() (io.ReadWriteCloser, io.ReadWriteCloser) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return func() (io.ReadWriteCloser, io.ReadWriteCloser) {
			f, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c, err := l.Accept()
			if err := errors.Join(err, f.SetDeadline(time.Now().Add(within))); err != nil {
				t.Fatal(err)
			}
			return f, c
		}
	},
}

// A program that reads nothing for long, and then goes on or vanishes, blocks
// nothing: the meter is read on, the oldest whole frames go, the bridge says so,
// the meter is stopped when the program has gone, and the next one is served.
func TestReaders(t *testing.T) {
	for name, front := range fronts {
		for _, vanishes := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, vanishes %v", name, vanishes), func(t *testing.T) {
				m := newTorrent()
				slow := make(chan struct{})
				b := &Bridge{
					Dial: func(context.Context) (powerspy.Link, error) {
						near, far := net.Pipe()
						go m.serve(far)
						return near, nil
					},
					Report: func(text string) {
						if strings.HasPrefix(text, "the program reads too slowly") {
							close(slow) // told once
						}
					},
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan error, 1)
				first, err := b.Dial(ctx)
				if err != nil {
					t.Fatal(err)
				}
				b.Use(first)
				go func() { ended <- b.Link(ctx) }()
				connect := front(t)

				f, c := connect()
				left := make(chan error, 1)
				go func() { left <- b.Client(ctx, c) }()
				if _, err := io.WriteString(f, "<J0001>"); err != nil {
					t.Fatal(err)
				}
				<-slow
				n := m.count()
				m.wait(func() bool { return m.sent > n+20000 }) // 860 KB: the queue goes by several times
				if !vanishes {
					readOn(t, f)
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
				if err := <-left; err != nil {
					t.Errorf("Client: %v", err)
				}
				m.wait(func() bool { return !m.streams })

				f, c = connect()
				go func() { left <- b.Client(ctx, c) }()
				if got := ask(t, f, bufio.NewReader(f), "<V00>"); got != "<01>" {
					t.Errorf("the next one was answered %q", got)
				}
				cancel() // with a client
				if err := <-left; !errors.Is(err, context.Canceled) {
					t.Errorf("Client: %v", err)
				}
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("Link: %v", err)
				}
			})
		}
	}
}

// readOn reads until frames are missing, which all have to be whole and in order.
func readOn(t *testing.T, f io.Reader) {
	t.Helper()
	r := bufio.NewReader(f)
	begin := frame(t, r)
	if begin == accepted { // unless it went already, as the oldest
		begin = frame(t, r)
	}
	last := number(t, begin)
	for range 1000000 {
		n := number(t, frame(t, r))
		if n <= last {
			t.Fatalf("frame %d after %d", n, last)
		}
		if n > last+1 {
			return
		}
		last = n
	}
	t.Error("nothing was dropped")
}
