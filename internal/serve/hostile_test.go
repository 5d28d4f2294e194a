package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/internal/serve/pipetest"
	"powerspy2/meter"
	"powerspy2/record"
)

// follow reads windows until stop is closed, and reports those that do not follow on
// the one before.
func (r *lineReader) follow(stop <-chan struct{}) (windows int) {
	var last time.Time
	for {
		select {
		case <-stop:
			return windows
		default:
		}
		line, err := r.in.ReadString('\n')
		if err != nil {
			r.Errorf("the stream ended: %v", err)
			return windows
		}
		var l record.Line
		if _, err := l.Parse([]byte(line)); err != nil || l.Kind != record.EventLine {
			continue
		}
		if l.Event.Kind == meter.GapEvent {
			r.Errorf("a gap: %+v", l.Event.Gap)
			return windows
		}
		if w := &l.Event.Window; l.Event.Kind == meter.WindowEvent {
			if !last.IsZero() && !w.Start.Equal(last) {
				r.Errorf("from %v on %v was lost", last, w.Start.Sub(last))
			}
			last = w.End
			windows++
		}
	}
}

// Ten thousand connections, of which none says anything, keep neither a reader that is
// there from its windows, nor, for long, another one out.
func TestManyConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipetest.Listen()
		b := start(t, Config{Meters: []MeterConfig{live("sim")}})
		// Another listener of the same server: strangers are others than who reads.
		d := &door{&Listener{p, Unix}, &b.server.guests}
		served := make(chan error, 1)
		server := b.server.httpServer()
		go func() { served <- server.Serve(d) }()
		r := b.lines("/api/v1/meters/sim/events")
		stop := make(chan struct{})
		done := make(chan int)
		go func() { done <- r.follow(stop) }()

		var conns []net.Conn
		for range 10000 {
			c, err := p.DialContext(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
		}
		synctest.Wait()
		if n := b.server.guests.count(); n > maxGuests {
			t.Errorf("%d connections are held", n)
		}
		time.Sleep(10 * time.Second)
		// Those that said nothing are hung up on by now.
		if n := b.server.guests.count(); n > 2 {
			t.Errorf("%d connections are held after 10 s", n)
		}
		b.get("/api/v1/time", http.StatusOK).Body.Close()
		for _, c := range conns {
			c.Close()
		}
		close(stop)
		if n := <-done; n < 400 {
			t.Errorf("%d windows in 10 s", n)
		}
		r.body.Close()
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// Requests that come byte by byte, or are huge, end in time, and the stream goes on.
func TestSlowAndHuge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipetest.Listen()
		b := start(t, Config{Meters: []MeterConfig{live("sim")}})
		server := b.server.httpServer()
		served := make(chan error, 1)
		go func() { served <- server.Serve(&door{&Listener{p, Loopback}, &b.server.guests}) }()
		r := b.lines("/api/v1/meters/sim/events")
		stop, done := make(chan struct{}), make(chan int)
		go func() { done <- r.follow(stop) }()

		const request = "POST /api/v1/meters/sim/marks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		var wg sync.WaitGroup
		for name, send := range map[string]func(io.Writer) error{
			"headers byte by byte": func(w io.Writer) error {
				for _, c := range []byte(request + strings.Repeat("X-Slow: x\r\n", 1000)) {
					if _, err := w.Write([]byte{c}); err != nil {
						return err
					}
					time.Sleep(time.Second)
				}
				return nil
			},
			"a body byte by byte": func(w io.Writer) error {
				_, err := io.WriteString(w, request+"Content-Length: 4000\r\n\r\n")
				for err == nil {
					_, err = w.Write([]byte(" "))
					time.Sleep(time.Second)
				}
				return err
			},
			"a header without end": func(w io.Writer) error {
				_, err := io.WriteString(w, request+"X-Huge: ")
				for err == nil {
					_, err = io.WriteString(w, strings.Repeat("x", 1000))
				}
				return err
			},
			"a body without end": func(w io.Writer) error {
				_, err := io.WriteString(w, request+"Transfer-Encoding: chunked\r\n\r\n")
				for err == nil {
					_, err = io.WriteString(w, "400\r\n"+strings.Repeat(" ", 0x400)+"\r\n")
				}
				return err
			},
			"nothing": func(io.Writer) error { return nil },
			"half a line": func(w io.Writer) error {
				_, err := io.WriteString(w, "GET /api/v1/ti")
				return err
			},
			"a request after the other": func(w io.Writer) error {
				for {
					if _, err := io.WriteString(w, "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
						return err
					}
					time.Sleep(time.Minute * 3)
				}
			},
		} {
			c, err := p.DialContext(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			wg.Go(func() { _ = send(c) }) // it is hung up on
			wg.Go(func() {
				defer c.Close()
				if _, err := io.Copy(io.Discard, c); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if took := time.Since(began); took > 3*time.Minute {
					t.Errorf("%s: it was held for %v", name, took)
				}
			})
		}
		wg.Wait()
		close(stop)
		if n := <-done; n < 100 {
			t.Errorf("%d windows", n)
		}
		r.body.Close()
		server.Close()
		<-served
	})
}

// requests are what strangers send.
var requests = []string{
	"GET /api/v1/meters HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"GET /api/v1/meters/sim/events?interval=1s&from=0 HTTP/1.0\r\nHost: localhost\r\n\r\n",
	"GET /api/v1/meters/sim/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nLast-Event-ID: \x00\r\n\r\n",
	"GET /api/v1/meters/%00%ff%2e%2e/energy?from=%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"GET /api/v1/meters/sim/energy?from=1e308&to=-1e308 HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"GET /api/v1/meters/sim/energy?from=9000000000.999999999999 HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"POST /api/v1/meters/sim/marks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"name\":\"\\u0\"}",
	"POST /api/v1/meters/sim/marks HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
	"POST /api/v1/meters/sim/marks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
	"GET http://evil.example/api/v1/time HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"GET //evil.example/%2e%2e HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n",
	"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x00", "\r\n\r\n\r\n", "GET", "GET / HTTP/9.9\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET / HTTP/1.1\r\n bad: fold\r\nHost: localhost\r\n\r\n",
}

// Whatever is sent, the server answers or hangs up, and goes on.
func FuzzRequest(f *testing.F) {
	for _, r := range requests {
		f.Add([]byte(r))
	}
	s, err := New(Config{Meters: []MeterConfig{live("sim")}})
	if err != nil {
		f.Fatal(err)
	}
	p := pipetest.Listen()
	server := s.httpServer()
	var panics atomic.Pointer[any]
	inner := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				panics.Store(&v)
			}
		}()
		// Without its end a stream would have to be waited for.
		ctx, cancel := context.WithTimeout(r.Context(), time.Millisecond)
		defer cancel()
		inner.ServeHTTP(w, r.WithContext(ctx))
	})
	go func() { _ = server.Serve(&door{&Listener{p, Loopback}, &s.guests}) }()
	f.Cleanup(func() { server.Close() })
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := p.DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		go func() {
			_, _ = c.Write(data)
			_, _ = io.WriteString(c, "\r\n\r\nGET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		}()
		buf := make([]byte, 1000)
		n, _ := c.Read(buf) // an answer, or nothing
		c.Close()
		if n > 0 && !strings.HasPrefix(string(buf[:n]), "HTTP/1.") {
			t.Errorf("%q: %q", data, buf[:n])
		}
		if v := panics.Load(); v != nil {
			t.Fatalf("%q: %v", data, *v)
		}
	})
}

// A Unix socket is replaced only where nobody answers, and what is no socket never; its
// permissions hold from the first moment.
func TestListenUnix(t *testing.T) {
	path := t.TempDir() + "/s"
	l, err := ListenUnix(path, SocketConfig{Group: os.Getgid(), Mode: 0o660})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeSocket|0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if l.String() != "unix:"+path {
		t.Errorf("it is called %s", l)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(c, "one")
			c.Close()
		}
	}()
	if _, err := ListenUnix(path, SocketConfig{Group: -1}); !errors.Is(err, ErrAnswered) {
		t.Errorf("while a server answers: %v", err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(c).ReadString('\n'); line != "one\n" {
		t.Errorf("got %q, %v", line, err)
	}
	c.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after its end: %v", err)
	}

	// One that was killed leaves its socket.
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	if l, err = ListenUnix(path, SocketConfig{Group: -1}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// Another one in its place is not removed.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenUnix(path, SocketConfig{Group: -1}); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("in the place of a file: %v", err)
	}
	if text, err := os.ReadFile(path); string(text) != "precious" {
		t.Errorf("the file is %q, %v", text, err)
	}
	if _, err := ListenUnix(t.TempDir()+"/none/s", SocketConfig{Group: -1}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
	if _, err := ListenUnix(t.TempDir()+"/"+strings.Repeat("x", 50), SocketConfig{Group: -1}); err != nil && !strings.Contains(err.Error(), "too long") {
		t.Errorf("a long path: %v", err)
	}
	// A socket can be moved to where nobody can connect to it.
	if _, err := ListenUnix(t.TempDir()+"/"+strings.Repeat("x", longestPath), SocketConfig{Group: -1}); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("a longer path than can be connected to: %v", err)
	}
	if err := listenAsNobody(t, SocketConfig{Group: 54321}); !errors.Is(err, ErrGroup) {
		t.Errorf("of a group that is not ours: %v", err)
	}
	if entries, err := os.ReadDir(path[:len(path)-2]); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// listenAsNobody is [ListenUnix] by a thread that is not root, which may give a socket
// to any group.
func listenAsNobody(t *testing.T, sc SocketConfig) error {
	dir, err := os.MkdirTemp("", "") // that of the test is root's alone
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // and it ends with the goroutine
		const nobody, unchanged = 65534, ^uintptr(0)
		if os.Getuid() == 0 {
			if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, unchanged, nobody, unchanged); errno != 0 {
				failed <- errno
				return
			}
		}
		l, err := ListenUnix(dir+"/s", sc)
		if err == nil {
			_ = l.Close()
		}
		failed <- err
	}()
	return <-failed
}
