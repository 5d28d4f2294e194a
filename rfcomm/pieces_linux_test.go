package rfcomm

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A steady stream saves the read(2) that finds nothing, sees its end together with the last data after a deadline at the
// latest, and closes while it is between two reads.
func TestConnSteady(t *testing.T) {
	a, peer := socketPair(t, unix.SOCK_STREAM)
	s, err := newSocket(a)
	if err != nil {
		t.Fatal(err)
	}
	c := &Conn{stream: newStream(s, true), local: testLocal, remote: testRemote}
	reads := 0
	readFn := c.stream.readFn
	c.stream.readFn = func(fd uintptr) bool { reads++; return readFn(fd) }

	const pieces = 100
	write := make(chan struct{})
	go func() {
		defer unix.Close(peer)
		for range pieces {
			<-write
			if _, err := unix.Write(peer, []byte("piece")); err != nil {
				t.Errorf("write: %v", err)
			}
		}
	}()
	b := make([]byte, 64)
	for i := range pieces {
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Millisecond, func() { write <- struct{}{} })
		if n, err := c.Read(b); err != nil || string(b[:n]) != "piece" {
			t.Fatalf("read %d: %q, %v", i, b[:n], err)
		}
	}
	if reads > pieces+pieces/4 {
		t.Errorf("%d system calls for %d pieces", reads, pieces)
	}

	// The end may or may not have come together with the last piece.
	err = os.ErrDeadlineExceeded
	for i := 0; i < 2 && errors.Is(err, os.ErrDeadlineExceeded); i++ {
		if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err = c.Read(b)
	}
	if err != io.EOF {
		t.Errorf("unexpected error at the end: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// Closing a steady stream between two reads, and during one.
func TestConnSteadyClose(t *testing.T) {
	for _, during := range []bool{false, true} {
		a, peer := socketPair(t, unix.SOCK_STREAM)
		defer unix.Close(peer)
		s, err := newSocket(a)
		if err != nil {
			t.Fatal(err)
		}
		c := &Conn{stream: newStream(s, true), local: testLocal, remote: testRemote}
		if _, err := unix.Write(peer, []byte("piece")); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 64)
		if _, err := c.Read(b); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		if during {
			go func() {
				_, err := c.Read(b)
				ended <- err
			}()
		}
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if !during {
			_, err := c.Read(b)
			ended <- err
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("unexpected error of a read: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
	}
}
