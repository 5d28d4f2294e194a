package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"
)

func TestPipe(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		a, b := pipe()
		return a, b, func() {
			a.Close()
			b.Close()
		}, nil
	})
}

// What was written before Close arrives, then EOF; the writer learns that
// nobody reads.
func TestPipeClose(t *testing.T) {
	client, server := pipe()
	if _, err := client.Write([]byte("<Q>")); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(server); string(got) != "<Q>" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := server.Write([]byte("<K>")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("write to the closed end: %v", err)
	}
	if _, err := client.Write([]byte("<Q>")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
}

// A request sent just before Close is obeyed.
func TestLastRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Delay: 10 * time.Millisecond})
		c := dial(t, m)
		c.want("<J0001>", "<K>")
		c.send("<Q>")
		c.close()
		if m.Measuring() || m.Connected() {
			t.Error("the meter did not hear Q")
		}
	})
}

func TestBusyRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		c := dial(t, m)
		if _, err := m.Dial(t.Context()); !errors.Is(err, ErrBusy) {
			t.Errorf("second Dial: %v", err)
		}
		client, server := pipe()
		if err := m.ServeConn(t.Context(), server); !errors.Is(err, ErrBusy) {
			t.Errorf("second ServeConn: %v", err)
		}
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("second client got %v", err)
		}
		c.want("<V00>", "<D7>")
		c.close()
		c = dial(t, m)
		c.want("<V00>", "<D7>")
		c.close()
	})
}

func TestBusyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Busy: BusyWait})
		c := dial(t, m)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("second Dial: %v", err)
		}
		time.AfterFunc(time.Second, func() { c.Close() })
		began := time.Now()
		second := dial(t, m)
		defer second.close()
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("waited %v", waited)
		}
		second.want("<V00>", "<D7>")
	})
}

func TestBusyReplace(t *testing.T) {
	for name, settle := range map[string]func(){"at once": func() {}, "later": synctest.Wait} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := New(Config{Busy: BusyReplace})
				first := dial(t, m)
				settle()
				second := dial(t, m)
				if _, err := first.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("first client got %v", err)
				}
				first.close()
				second.want("<V00>", "<D7>")
				second.close()
			})
		})
	}
}

func TestDialContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		ctx, cancel := context.WithCancel(t.Context())
		conn, err := m.Dial(ctx)
		if err != nil {
			t.Fatal(err)
		}
		cancel() // The connection outlives the context.
		c := &client{t: t, Conn: conn}
		c.want("<V00>", "<D7>")
		c.close()
		if _, err := m.Dial(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Dial with an ended context: %v", err)
		}
	})
}

func TestServeConnEnds(t *testing.T) {
	broken := errors.New("radio broke")
	tests := []struct {
		name string
		end  func(client *end, cancel context.CancelFunc)
		rw   func(server *end) io.ReadWriteCloser
		want error
	}{
		{name: "client leaves", end: func(client *end, _ context.CancelFunc) { client.Close() }},
		{name: "context", end: func(_ *end, cancel context.CancelFunc) { cancel() }, want: context.Canceled},
		{name: "read fails", rw: func(s *end) io.ReadWriteCloser { return failing{s, broken, nil} }, want: broken},
		{name: "write fails", rw: func(s *end) io.ReadWriteCloser { return failing{s, nil, broken} }, want: broken,
			end: func(client *end, _ context.CancelFunc) { fmt.Fprint(client, "<?>") }},
		{name: "reset", rw: func(s *end) io.ReadWriteCloser { return failing{s, net.ErrClosed, nil} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := New(Config{})
				client, server := pipe()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var rw io.ReadWriteCloser = server
				if tt.rw != nil {
					rw = tt.rw(server)
				}
				served := make(chan error, 1)
				go func() { served <- m.ServeConn(ctx, rw) }()
				synctest.Wait()
				if tt.end != nil {
					tt.end(client, cancel)
				}
				if err := <-served; !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if _, err := io.ReadAll(client); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Errorf("the link was not closed: %v", err)
				}
				if m.Connected() {
					t.Error("still connected")
				}
			})
		})
	}
}

// failing is a link whose reads or writes fail.
type failing struct {
	*end
	read, write error
}

func (f failing) Read(p []byte) (int, error) {
	if f.read != nil {
		return 0, f.read
	}
	return f.end.Read(p)
}

func (f failing) Write(p []byte) (int, error) {
	if f.write != nil {
		return 0, f.write
	}
	return f.end.Write(p)
}

func TestServe(t *testing.T) {
	m := New(Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- m.Serve(ctx, l) }()

	open := func() *client {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return &client{t: t, Conn: conn}
	}
	c := open()
	if got := c.ask("<V00>"); got != "<D7>" {
		t.Errorf("got %q", got)
	}
	second := open()
	if n, err := second.Read(make([]byte, 1)); err == nil {
		t.Errorf("second client got %d bytes", n)
	}
	second.close()
	cancel() // With a client connected.
	if err := <-served; !errors.Is(err, context.Canceled) {
		t.Errorf("Serve: %v", err)
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection outlives the meter")
	}
	c.close()
}

func TestServeListenerFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := New(Config{}).Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}

// A client that does not read costs a bounded amount, and misses frames.
func TestUnreadClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		c := dial(t, m)
		defer c.close()
		c.want("<J0001>", "<K>")
		time.Sleep(time.Hour)
		for range 10000 {
			c.send("<?>")
		}
		synctest.Wait()
		m.mu.Lock()
		if n := len(m.session.queue); n > backlog {
			t.Errorf("%d messages wait", n)
		}
		m.mu.Unlock()
		frames := 0
		for {
			got, at := c.frame(time.Second)
			if s, _ := m.Stream(); measurement(got) {
				frames++
				if truth, _ := m.Truth(s.Windows - 1); at.Equal(truth.End) {
					break // Up to date again.
				}
			}
		}
		if frames > 1000 {
			t.Errorf("%d frames were kept of an hour", frames)
		}
	})
}
