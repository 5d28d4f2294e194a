package rfcomm

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// socketPair makes two connected non-blocking Unix sockets, which the test closes unless something else does.
func socketPair(t testing.TB, kind int) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fds[0], fds[1]
}

// testSocket registers fd and closes it at the end of the test.
func testSocket(t testing.TB, fd int) *socket {
	t.Helper()
	s, err := newSocket(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	return s
}

func testSocketPair(t testing.TB, kind int) (a, b *socket) {
	t.Helper()
	x, y := socketPair(t, kind)
	return testSocket(t, x), testSocket(t, y)
}

// A cancellation that lands while an operation succeeds must not leave a past deadline to the next one. With one processor
// the watcher, which cancel starts, comes to run only when wait lets it: by joining it, or too late.
func TestSocketWaitStaleDeadline(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	a, _ := testSocketPair(t, unix.SOCK_SEQPACKET)
	for _, d := range []direction{reading, writing} {
		for range 100 {
			ctx, cancel := context.WithCancel(context.Background())
			err := a.wait(ctx, d, func(uintptr) bool {
				cancel()
				return true
			})
			if err != nil {
				t.Fatalf("an operation that succeeds while it is cancelled: %v", err)
			}
			runtime.Gosched()
			if err := a.wait(context.Background(), d, func(uintptr) bool { return true }); err != nil {
				t.Fatalf("the operation after it: %v", err)
			}
		}
	}
}

// The same with a cancellation that races the operation for real.
func TestSocketWaitCancelRace(t *testing.T) {
	a, b := testSocketPair(t, unix.SOCK_SEQPACKET)
	buf := make([]byte, 8)
	for range 5000 {
		ctx, cancel := context.WithCancel(context.Background())
		go cancel()
		err := a.writeMessage(ctx, []byte("x"))
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled write: %v", err)
		}
		sent := err == nil
		ctx, cancel = context.WithCancel(context.Background())
		go cancel()
		if _, err = b.readMessage(ctx, buf); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled read: %v", err)
		}
		// Whatever became of those, these are under no context and under no deadline.
		if err := a.writeMessage(context.Background(), []byte("y")); err != nil {
			t.Fatalf("write under no context: %v", err)
		}
		if sent && err != nil {
			if _, err := b.readMessage(context.Background(), buf); err != nil {
				t.Fatalf("read under no context: %v", err)
			}
		}
		if _, err := b.readMessage(context.Background(), buf); err != nil {
			t.Fatalf("read under no context: %v", err)
		}
	}
}

func TestSocketWaitContext(t *testing.T) {
	expired, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	cancelled, cancel2 := context.WithCancel(context.Background())
	cancel2()

	tests := []struct {
		name string
		ctx  func() (context.Context, context.CancelFunc)
		want error
	}{
		{"cancelled before", func() (context.Context, context.CancelFunc) { return cancelled, func() {} }, context.Canceled},
		{"expired before", func() (context.Context, context.CancelFunc) { return expired, func() {} }, context.DeadlineExceeded},
		{"expires while waiting", func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 5*time.Millisecond)
		}, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := testSocketPair(t, unix.SOCK_SEQPACKET)
			ctx, cancel := tt.ctx()
			defer cancel()
			buf := make([]byte, 8)
			if _, err := a.readMessage(ctx, buf); !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err := b.writeMessage(context.Background(), []byte("x")); err != nil {
				t.Fatal(err)
			}
			if n, err := a.readMessage(context.Background(), buf); err != nil || n != 1 {
				t.Fatalf("the socket is spoilt: %d, %v", n, err)
			}
		})
	}
}

func TestSocketWaitCancelled(t *testing.T) {
	a, _ := testSocketPair(t, unix.SOCK_SEQPACKET)
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	err := a.wait(ctx, reading, func(uintptr) bool {
		calls++
		cancel()
		return false
	})
	if err != context.Canceled {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
}

func TestSocketCloseWakesWait(t *testing.T) {
	a, _ := testSocketPair(t, unix.SOCK_SEQPACKET)
	waiting := make(chan struct{})
	result := make(chan error, 1)
	go func() {
		var once sync.Once
		result <- a.wait(context.Background(), reading, func(uintptr) bool {
			once.Do(func() { close(waiting) })
			return false
		})
	}()
	<-waiting
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != net.ErrClosed {
		t.Errorf("got %v, want net.ErrClosed", err)
	}
	if err := a.wait(context.Background(), reading, func(uintptr) bool { return true }); err != net.ErrClosed {
		t.Errorf("after close: got %v, want net.ErrClosed", err)
	}
	if err := a.setDeadline(reading, time.Time{}); err != net.ErrClosed {
		t.Errorf("setDeadline after close: got %v, want net.ErrClosed", err)
	}
	if err := a.close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// A descriptor that the poller refuses is an error and is closed, not a socket whose deadlines do nothing.
func TestNewSocketRefused(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := duplicate(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	if s, err := newSocket(fd); err == nil {
		s.close()
		t.Fatal("registered a regular file")
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("descriptor left open: %v", err)
	}
}
