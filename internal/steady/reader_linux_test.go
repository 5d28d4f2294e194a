package steady

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// openReader makes a Reader of a descriptor and closes it at the end of the test.
func openReader(t testing.TB, fd int) *Reader {
	t.Helper()
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "stream")
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader(f, raw)
	t.Cleanup(func() { _ = r.Close() }) // most tests have done so
	return r
}

// socketReader returns a Reader and the other end of its stream.
func socketReader(t *testing.T) (*Reader, int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return openReader(t, fds[0]), fds[1]
}

// terminalReader is socketReader for a terminal in raw mode.
func terminalReader(t *testing.T) (*Reader, *os.File) {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if _, err := term.MakeRaw(int(tty.Fd())); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(tty.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err := errors.Join(err, tty.Close()); err != nil {
		t.Fatal(err)
	}
	return openReader(t, fd), master
}

func send(t *testing.T, fd int, text string) {
	t.Helper()
	if _, err := unix.Write(fd, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, r *Reader, want string) {
	t.Helper()
	b := make([]byte, 64)
	if n, err := r.Read(b); err != nil || string(b[:n]) != want {
		t.Fatalf("got %q, %v, want %q", b[:n], err, want)
	}
}

// A goroutine that is locked to its thread reads, and so do others in turn, each
// of which may be locked to another one.
func TestReaderPinned(t *testing.T) {
	r, master := terminalReader(t)
	for i := range 20 {
		read := make(chan string)
		go func() {
			defer close(read)
			if i%2 == 0 {
				runtime.LockOSThread() // the thread ends with the goroutine
			}
			b := make([]byte, 8)
			for range 5 {
				n, err := r.Read(b)
				if err != nil {
					t.Errorf("reader %d: %v", i, err)
					return
				}
				read <- string(b[:n])
			}
		}()
		for range 5 {
			want := strconv.Itoa(i)
			send(t, int(master.Fd()), want)
			if got := <-read; got != want {
				t.Fatalf("reader %d got %q", i, got)
			}
		}
	}
}

// A piece costs one read(2), which finds it.
func TestReaderCalls(t *testing.T) {
	r, peer := socketReader(t)
	defer unix.Close(peer)
	calls := 0
	r.call = func(fd int, p []byte) (int, error) {
		calls++
		return read(fd, p)
	}
	const pieces = 100
	for range pieces {
		time.AfterFunc(2*time.Millisecond, func() { _, _ = unix.Write(peer, []byte("piece")) })
		if err := r.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		expect(t, r, "piece")
	}
	if err := r.Close(); err != nil { // so that calls is ours
		t.Fatal(err)
	}
	// One at the start, and where this machine has held a piece up.
	if calls > pieces+pieces/4 {
		t.Errorf("%d system calls for %d pieces", calls, pieces)
	}
}

// Nothing that comes while nobody reads is lost, nor what does not fit.
func TestReaderBetweenReads(t *testing.T) {
	r, peer := socketReader(t)
	defer unix.Close(peer)
	for i := range 200 {
		send(t, peer, "piece")
		if i%3 == 0 {
			runtime.Gosched() // the poller may see it now or later
		}
		expect(t, r, "piece")
	}
	send(t, peer, "0123456789")
	b := make([]byte, 4)
	for _, want := range []string{"0123", "4567", "89"} {
		if n, err := r.Read(b); err != nil || string(b[:n]) != want {
			t.Errorf("got %q, %v, want %q", b[:n], err, want)
		}
	}
}

// An end that comes together with the last data is seen without any deadline,
// and stays.
func TestReaderEndWithData(t *testing.T) {
	r, peer := socketReader(t)
	send(t, peer, "first")
	expect(t, r, "first")
	send(t, peer, "last")
	if err := unix.Close(peer); err != nil {
		t.Fatal(err)
	}
	expect(t, r, "last")
	for range 2 {
		if n, err := r.Read(make([]byte, 8)); n != 0 || err != io.EOF {
			t.Errorf("got %d, %v, want io.EOF", n, err)
		}
	}
}

// The same on a terminal whose other side goes away.
func TestReaderHangup(t *testing.T) {
	r, master := terminalReader(t)
	send(t, int(master.Fd()), "first")
	expect(t, r, "first")
	if err := master.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 8)); err != io.EOF && !errors.Is(err, unix.EIO) {
		t.Errorf("got %v", err)
	}
}

func TestReaderDeadlines(t *testing.T) {
	r, peer := socketReader(t)
	defer unix.Close(peer)
	b := make([]byte, 8)
	for _, tt := range []struct {
		name string
		wait time.Duration
	}{
		{"passed", -time.Second},
		{"before the look", lookAfter / 100},
		{"after the look", lookAfter * 5 / 4},
	} {
		began := time.Now()
		if err := r.SetDeadline(began.Add(tt.wait)); err != nil {
			t.Fatal(err)
		}
		if n, err := r.Read(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: got %d, %v", tt.name, n, err)
		}
		if took := time.Since(began); took < tt.wait {
			t.Errorf("%s: ended after %v", tt.name, took)
		}
	}
	// One that passed ends no later read, and data does not help against it.
	send(t, peer, "late")
	if _, err := r.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := r.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	expect(t, r, "late")

	// It ends a read that is under way.
	ended := make(chan error)
	go func() {
		_, err := r.Read(b)
		ended <- err
	}()
	for waiting := false; !waiting; runtime.Gosched() {
		r.mu.Lock()
		waiting = r.waiting
		r.mu.Unlock()
	}
	if err := r.SetDeadline(longAgo); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// What was received comes before the error of a stream that a write has found
// broken, and that error ends all waiting.
func TestReaderBreak(t *testing.T) {
	r, peer := socketReader(t)
	defer unix.Close(peer)
	send(t, peer, "first")
	expect(t, r, "first")
	send(t, peer, "last")
	r.Break(unix.EPIPE)
	r.Break(unix.EIO) // the first counts
	if err := r.SetDeadline(longAgo); err != nil {
		t.Fatal(err)
	}
	expect(t, r, "last")
	for range 2 {
		if _, err := r.Read(make([]byte, 8)); err != unix.EPIPE {
			t.Errorf("got %v, want EPIPE", err)
		}
	}
}

// Closing wakes a read whose deadline is set at that very moment, over and over,
// by another goroutine. None may be left waiting.
func TestReaderCloseRace(t *testing.T) {
	for i := range 300 {
		r, peer := socketReader(t)
		if i%2 == 0 {
			send(t, peer, "first")
			expect(t, r, "first")
		}
		var wg sync.WaitGroup
		start, over := make(chan struct{}), make(chan struct{})
		wg.Go(func() {
			<-start
			for {
				if _, err := r.Read(make([]byte, 8)); errors.Is(err, os.ErrClosed) {
					return
				} else if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("read: %v", err)
					return
				}
			}
		})
		wg.Go(func() {
			<-start
			for n := 0; ; n++ {
				var d time.Time // never, a moment and long ago by turns
				switch n % 3 {
				case 1:
					d = time.Now().Add(time.Hour)
				case 2:
					d = longAgo
				}
				if err := r.SetDeadline(d); errors.Is(err, os.ErrClosed) {
					return
				} else if err != nil {
					t.Errorf("deadline: %v", err)
					return
				}
			}
		})
		for range 2 {
			wg.Go(func() {
				<-start
				if i%3 != 0 {
					runtime.Gosched()
				}
				if err := r.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
					t.Errorf("close: %v", err)
				}
			})
		}
		go func() { wg.Wait(); close(over) }()
		close(start)
		select {
		case <-over:
		case <-time.After(10 * time.Second):
			t.Fatalf("round %d hangs", i)
		}
		unix.Close(peer)
	}
}

func TestReaderAllocations(t *testing.T) {
	r, peer := socketReader(t)
	defer unix.Close(peer)
	b, piece := make([]byte, 64), []byte("piece")
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := unix.Write(peer, piece); err != nil {
			t.Fatal(err)
		}
		if err := r.SetDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(b); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for a read", allocs)
	}
}

// BenchmarkRead compares a Reader with the file itself, each with one processor:
// a piece every millisecond or so, so that both go to sleep in between.
func BenchmarkRead(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, steady := range []bool{false, true} {
		name := map[bool]string{false: "file", true: "reader"}[steady]
		b.Run(name, func(b *testing.B) {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				b.Fatal(err)
			}
			f := os.NewFile(uintptr(fds[0]), "stream")
			raw, err := f.SyscallConn()
			if err != nil {
				b.Fatal(err)
			}
			r := NewReader(f, raw)
			defer r.Close()
			next, deadline := f.Read, f.SetReadDeadline
			if steady {
				next, deadline = r.Read, r.SetDeadline
			}
			p := make([]byte, 64)
			before := processorTime(b)
			for b.Loop() {
				time.AfterFunc(time.Millisecond, func() { _, _ = unix.Write(fds[1], p[:40]) })
				if err := deadline(time.Now().Add(time.Second)); err != nil {
					b.Fatal(err)
				}
				if _, err := next(p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
