package rfcomm

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/nettest"
	"golang.org/x/sys/unix"
)

var (
	testLocal  = Addr{Address: testAdapter, Channel: 1}
	testRemote = Addr{Address: testMeter, Channel: 1}
)

// testConn makes a Conn of one end of a Unix socket pair and closes it at the end of the test. It returns the other end.
func testConn(t testing.TB) (c *Conn, peer int) {
	t.Helper()
	a, b := socketPair(t, unix.SOCK_STREAM)
	return &Conn{stream: testStream(t, a), local: testLocal, remote: testRemote}, b
}

// testStream makes a stream of fd and closes it at the end of the test.
func testStream(t testing.TB, fd int) *stream {
	t.Helper()
	s, err := newSocket(fd)
	if err != nil {
		t.Fatal(err)
	}
	st := newStream(s)
	t.Cleanup(func() { st.close() })
	return st
}

func TestConnConformance(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, nil, nil, err
		}
		var conns [2]*Conn
		for i, fd := range fds {
			s, err := newSocket(fd)
			if err != nil {
				return nil, nil, nil, err
			}
			conns[i] = &Conn{stream: newStream(s), local: testLocal, remote: testRemote}
		}
		return conns[0], conns[1], func() {
			conns[0].Close()
			conns[1].Close()
		}, nil
	})
}

func TestConnAddrs(t *testing.T) {
	c, peer := testConn(t)
	defer unix.Close(peer)
	if c.LocalAddr() != net.Addr(testLocal) || c.RemoteAddr() != net.Addr(testRemote) {
		t.Errorf("got %v and %v", c.LocalAddr(), c.RemoteAddr())
	}
	if err := c.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	var oerr *net.OpError
	if !errors.As(err, &oerr) || oerr.Source != net.Addr(testLocal) || oerr.Addr != net.Addr(testRemote) || !oerr.Timeout() {
		t.Errorf("got %#v", err)
	}
}

func TestConnEOF(t *testing.T) {
	c, peer := testConn(t)
	if _, err := unix.Write(peer, []byte("last")); err != nil {
		t.Fatal(err)
	}
	unix.Close(peer)
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "last" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("got %v, want io.EOF itself", err)
	}
}

// tcpPair makes two connected TCP sockets: unlike Unix sockets they report an error once, as RFCOMM does.
func tcpPair(t testing.TB) (c *Conn, peer *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	return &Conn{stream: testStream(t, fd), local: testLocal, remote: testRemote}, accepted.(*net.TCPConn)
}

// reset ends a TCP connection so that the other end gets ECONNRESET.
func reset(t testing.TB, peer *net.TCPConn) {
	t.Helper()
	if err := peer.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := peer.Close(); err != nil {
		t.Fatal(err)
	}
}

// The kernel reports the error of a stream once; Read must go on reporting it. The second read(2) of a reset TCP socket
// gives 0, which would be io.EOF.
func TestConnFinalReadError(t *testing.T) {
	c, peer := tcpPair(t)
	reset(t, peer)
	for i := range 3 {
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(make([]byte, 8))
		if n != 0 || !errors.Is(err, unix.ECONNRESET) {
			t.Fatalf("read %d: got %d, %v, want ECONNRESET", i, n, err)
		}
	}
	c.Close()
	if _, err := c.Read(make([]byte, 8)); !errors.Is(err, net.ErrClosed) || errors.Is(err, unix.ECONNRESET) {
		t.Errorf("after Close: got %v, want net.ErrClosed", err)
	}
}

// A passed deadline is not final.
func TestConnDeadlineNotFinal(t *testing.T) {
	c, peer := testConn(t)
	defer unix.Close(peer)
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v, want os.ErrDeadlineExceeded", err)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(peer, []byte("late")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 8)
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "late" {
		t.Errorf("got %q, %v", buf[:n], err)
	}
}

// A write that finds the stream broken takes the errno from under a read that waits for it: the read must end all the
// same, after what was received, and stay ended whatever deadline is set.
func TestConnWriteErrorEndsReads(t *testing.T) {
	// The socket itself is well, as one whose errno the write has consumed.
	c, peer := testConn(t)
	defer unix.Close(peer)

	result := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		close(started)
		_, err := c.Read(make([]byte, 8))
		result <- err
	}()
	<-started
	c.stream.reader.Break(os.NewSyscallError("write", unix.ECONNRESET))
	if err := <-result; !errors.Is(err, unix.ECONNRESET) {
		t.Fatalf("blocked read: got %v, want ECONNRESET", err)
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 8)); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("later read: got %v, want ECONNRESET", err)
	}

	// What was received before comes first.
	c, peer = testConn(t)
	defer unix.Close(peer)
	if _, err := unix.Write(peer, []byte("buffered")); err != nil {
		t.Fatal(err)
	}
	c.stream.reader.Break(os.NewSyscallError("write", unix.EPIPE))
	buf := make([]byte, 16)
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "buffered" {
		t.Errorf("got %q, %v, want what was received", buf[:n], err)
	}
	// A deadline set meanwhile must not make the next Read wait for what will never come.
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := c.Read(buf)
		result <- err
	}()
	select {
	case err := <-result:
		if !errors.Is(err, unix.EPIPE) {
			t.Errorf("got %v, want EPIPE", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("Read waits on a broken stream")
	}
}

// Write itself must raise that alarm.
func TestConnWriteBroken(t *testing.T) {
	c, peer := tcpPair(t)
	reset(t, peer)
	// Wait until the reset is there without consuming it.
	fds := []unix.PollFd{{Events: unix.POLLIN}}
	if err := c.stream.socket.raw.Control(func(fd uintptr) { fds[0].Fd = int32(fd) }); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Poll(fds, 5000); n != 1 || err != nil {
		t.Fatalf("no reset: %d, %v", n, err)
	}
	n, err := c.Write([]byte("request"))
	if n != 0 || !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
		t.Fatalf("got %d, %v", n, err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 8))
		read <- err
	}()
	select {
	case err := <-read:
		if !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) && err != io.EOF {
			t.Errorf("a read after it: got %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("reads are not told")
	}
}

// Write sends everything although the kernel takes it in pieces, and counts what it took when it cannot.
func TestConnWriteLong(t *testing.T) {
	c, peer := testConn(t)
	other := &Conn{stream: testStream(t, peer)}
	long := make([]byte, 4<<20)
	for i := range long {
		long[i] = byte(i % 251)
	}
	received := make(chan []byte, 1)
	go func() {
		got, err := io.ReadAll(other)
		if err != nil {
			got = nil
		}
		received <- got
	}()
	if n, err := c.Write(long); n != len(long) || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	c.Close()
	if string(<-received) != string(long) {
		t.Error("bytes differ")
	}

	c, peer = testConn(t)
	defer unix.Close(peer)
	if err := c.SetWriteDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := c.Write(long)
	if n <= 0 || n >= len(long) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("full buffer: got %d, %v", n, err)
	}
	if err := c.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Write(long); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past deadline: got %d, %v", n, err)
	}
}

func TestConnClose(t *testing.T) {
	c, peer := testConn(t)
	defer unix.Close(peer)
	result := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		close(started)
		_, err := c.Read(make([]byte, 1))
		result <- err
	}()
	<-started
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	calls := map[string]error{"blocked Read": <-result}
	_, calls["Read"] = c.Read(make([]byte, 1))
	_, calls["empty Read"] = c.Read(nil)
	_, calls["Write"] = c.Write([]byte("x"))
	_, calls["empty Write"] = c.Write(nil)
	calls["SetDeadline"] = c.SetDeadline(time.Now())
	calls["SetReadDeadline"] = c.SetReadDeadline(time.Now())
	calls["SetWriteDeadline"] = c.SetWriteDeadline(time.Now())
	for name, err := range calls {
		var oerr *net.OpError
		if !errors.Is(err, net.ErrClosed) || !errors.As(err, &oerr) {
			t.Errorf("%s: got %v, want net.ErrClosed in a *net.OpError", name, err)
		}
	}
}

// Closing beside a goroutine that sets deadlines, which may push the one that
// would wake a read into the future again.
func TestConnCloseRace(t *testing.T) {
	for range 200 {
		c, peer := testConn(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				if _, err := c.Read(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
					if !errors.Is(err, net.ErrClosed) {
						t.Errorf("read: %v", err)
					}
					return
				}
			}
		})
		wg.Go(func() {
			for d := time.Nanosecond; ; d = 2*d%time.Hour + 1 {
				if err := c.SetReadDeadline(time.Now().Add(d)); err != nil {
					if !errors.Is(err, net.ErrClosed) {
						t.Errorf("deadline: %v", err)
					}
					return
				}
			}
		})
		runtime.Gosched()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		unix.Close(peer)
	}
}

func TestConnAllocations(t *testing.T) {
	c, peer := testConn(t)
	defer unix.Close(peer)
	frame, buf := make([]byte, 40), make([]byte, 64)
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := c.Write(frame); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(peer, frame); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Read(peer, buf); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for a write and a read", allocs)
	}
}

func TestFileConnRefuses(t *testing.T) {
	a, b := socketPair(t, unix.SOCK_STREAM)
	defer unix.Close(b)
	f := os.NewFile(uintptr(a), "pair")
	defer f.Close()
	if c, err := FileConn(f); err == nil {
		c.Close()
		t.Fatal("took a Unix socket for RFCOMM")
	}
	if _, err := unix.Write(b, []byte("x")); err != nil {
		t.Errorf("the file was closed: %v", err)
	}
	f.Close()
	if _, err := FileConn(f); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed file: got %v", err)
	}
}

func TestListenerAccept(t *testing.T) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	name := &unix.SockaddrUnix{Name: t.TempDir() + "/s"}
	if err := unix.Bind(fd, name); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	l := &Listener{listener: &listener{socket: testSocket(t, fd)}, addr: testLocal}

	if err := l.SetDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want os.ErrDeadlineExceeded", err)
	}
	if err := l.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}

	client, err := net.Dial("unix", name.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, _, err := l.listener.acceptFD()
	if err != nil {
		t.Fatal(err)
	}
	flags, err := unix.FcntlInt(uintptr(accepted), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("accepted descriptor has flags %#x, %v", flags, err)
	}
	unix.Close(accepted)

	result := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		close(started)
		_, err := l.Accept()
		result <- err
	}()
	<-started
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	err = <-result
	var oerr *net.OpError
	if !errors.Is(err, net.ErrClosed) || !errors.As(err, &oerr) || oerr.Addr != net.Addr(testLocal) {
		t.Errorf("got %v, want net.ErrClosed", err)
	}
}
