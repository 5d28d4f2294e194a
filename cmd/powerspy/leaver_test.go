package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"powerspy2/powerspy/sim"
)

// A leaver is a simulated meter that is out of reach when the test says so.
type leaver struct {
	*sim.Meter
	device string
	away   atomic.Bool
}

func newLeaver(t *testing.T, spec string) *leaver {
	t.Helper()
	cfg, err := sim.ParseSpec(strings.TrimPrefix(spec, "sim:"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &leaver{Meter: sim.New(cfg), device: "tcp://" + l.Addr().String()}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			switch {
			case err != nil:
				return
			case m.away.Load():
				_ = conn.Close()
			default:
				wg.Go(func() { _ = m.ServeConn(ctx, conn) }) // the client sees how it ends
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		wg.Wait()
	})
	return m
}

// leave drops the client, and lets none in until the meter is back.
func (m *leaver) leave() {
	m.away.Store(true)
	m.Drop()
}

func (m *leaver) back() { m.away.Store(false) }

// measures waits until that stream of the meter, or a later one, has so many windows.
func (m *leaver) measures(t *testing.T, stream, windows int) {
	t.Helper()
	eventually(t, "the meter measures", func() bool {
		s, ok := m.Stream()
		return ok && s.Number >= stream && s.Windows >= windows
	})
}

// eventually waits for what will come true, however busy the machine is.
func eventually(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !true(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// written returns how many lines a file has, 0 where there is none.
func written(file string) int {
	text, _ := os.ReadFile(file)
	return strings.Count(string(text), "\n")
}

// touch makes a file.
func touch(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
