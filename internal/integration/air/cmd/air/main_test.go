package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRun starts the program on a stream in place of /dev/vhci and gives it
// commands on both ways.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	socket := filepath.Join(t.TempDir(), "socket")
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	opened := make(chan net.Conn, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-socket", socket, "-meter", "00:0B:CE:07:1D:32,PowerSpy 1", "-meter", "00:0B:CE:07:1D:33"},
			in, out, func() (io.ReadWriteCloser, error) {
				near, far := net.Pipe()
				opened <- near
				return far, nil
			})
	}()
	host := <-opened
	if err := host.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	reset, complete := []byte{0x01, 0x03, 0x0c, 0x00}, []byte{0x04, 0x0e, 0x04, 0x01, 0x03, 0x0c, 0x00}
	if _, err := host.Write(reset); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, len(complete))
	if _, err := io.ReadFull(host, answer); err != nil || !bytes.Equal(answer, complete) {
		t.Fatalf("answer to reset: % x, %v", answer, err)
	}

	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, way := range []struct {
		name string
		w    io.Writer
		r    *bufio.Reader
	}{{"standard input", stdin, bufio.NewReader(stdout)}, {"socket", conn, bufio.NewReader(conn)}} {
		for _, tt := range []struct{ line, want string }{
			{"list", "00:0B:CE:07:1D:32 \"PowerSpy 1\"\n00:0B:CE:07:1D:33 \"PowerSpy 4567\"\nok\n"},
			{"away on", "ok\n"},
			{"fly", "error: air: command \"fly\" is not known: try help\n"},
			{"away off", "ok\n"},
		} {
			if _, err := io.WriteString(way.w, tt.line+"\n"); err != nil {
				t.Fatal(err)
			}
			var got string
			for range strings.Count(tt.want, "\n") {
				line, err := way.r.ReadString('\n')
				if err != nil {
					t.Fatalf("%s: %s: %v", way.name, tt.line, err)
				}
				got += line
			}
			if got != tt.want {
				t.Errorf("%s: %s: %q, want %q", way.name, tt.line, got, tt.want)
			}
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("run: %v, want context.Canceled", err)
	}
	if err := stdin.Close(); err != nil {
		t.Error(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the socket outlives the program")
	}
}

func TestRunMistakes(t *testing.T) {
	unopened := func() (io.ReadWriteCloser, error) { return nil, errors.New("opened") }
	for _, args := range [][]string{
		{"-meter", "12"},
		{"-sim", "nonsense=1"},
		{"-mode", "4"},
		{"-pin", "12345678901234567"},
		{"-socket", "/nonexistent/socket"},
		{"-meter", "00:0B:CE:07:1D:32", "-meter", "00:0B:CE:07:1D:32"},
	} {
		if err := run(t.Context(), args, strings.NewReader(""), io.Discard, unopened); err == nil || err.Error() == "opened" {
			t.Errorf("%q: %v, want a complaint before anything is opened", args, err)
		}
	}
}
