package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/measure"
	"powerspy2/meter"
)

func reading(watts float64) *measure.Event {
	return &measure.Event{Kind: measure.ReadingEvent, Reading: measure.Reading{Power: watts}}
}

func TestNotifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		n := startNotifier(func(s string) { sent = append(sent, s) }, 30*time.Second, 20*time.Millisecond)
		at := func() string { return time.Now().Format(time.TimeOnly) }
		expect := func(want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, sent); diff != "" {
				t.Errorf("unexpected messages (-want +got):\n%s", diff)
			}
			sent = nil
		}
		n.Status(meter.Status{Phase: meter.Discovering, Text: "looking for\na PowerSpy"})
		expect("STATUS=looking for\\na PowerSpy\nWATCHDOG=1")
		n.Event(reading(42))
		expect("READY=1\nWATCHDOG=1\nSTATUS=42.000 W at " + at() + "; 1 reading, 0 gaps")

		// A third of the watchdog's time at 50 readings a second costs one message.
		for range 499 {
			time.Sleep(20 * time.Millisecond)
			n.Event(reading(43))
		}
		expect()
		time.Sleep(20 * time.Millisecond)
		n.Event(reading(44))
		expect("WATCHDOG=1\nSTATUS=44.000 W at " + at() + "; 501 readings, 0 gaps")

		// A hang is silent: neither a gap nor a word about the clock is a sign
		// of life. A step of a recovery is.
		time.Sleep(20 * time.Second)
		n.Event(&measure.Event{Kind: measure.GapEvent})
		expect()
		n.Event(&measure.Event{Kind: measure.StatusEvent, Status: meter.Status{Phase: meter.Streaming, Text: "the wall clock was set"}})
		expect("STATUS=the wall clock was set")
		n.Event(&measure.Event{Kind: measure.StatusEvent, Status: meter.Status{Phase: meter.Connecting, Text: "connecting again"}})
		expect("STATUS=connecting again\nWATCHDOG=1")
		time.Sleep(10 * time.Second)
		n.Event(reading(-1))
		expect("WATCHDOG=1\nSTATUS=-1.000 W at " + at() + "; 502 readings, 1 gap")

		n.Close()
		n.Close()
		n.Status(meter.Status{Text: "too late"})
		expect("STOPPING=1\nSTATUS=stopping the meter")
	})
}

// However readings and signs of life fall together, systemd never waits longer
// than its watchdog's patience.
func TestNotifierKeepsWatchdogQuiet(t *testing.T) {
	for _, interval := range []time.Duration{20 * time.Millisecond, time.Second, 9 * time.Second, 10 * time.Second, 11 * time.Second, time.Minute, 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			watchdog := 30 * time.Second
			last := time.Now()
			n := startNotifier(func(s string) {
				if usec, ok := strings.CutPrefix(s, "WATCHDOG_USEC="); ok {
					v, err := strconv.Atoi(usec)
					if err != nil {
						t.Fatal(err)
					}
					watchdog = time.Duration(v) * time.Microsecond
				}
				if strings.Contains(s, "WATCHDOG=1") {
					if silence := time.Since(last); silence > watchdog*9/10 {
						t.Errorf("interval %v: silent for %v of %v", interval, silence, watchdog)
					}
					last = time.Now()
				}
			}, watchdog, interval)
			for i := range 2000 {
				time.Sleep(interval + time.Duration(i%3-1)*time.Millisecond)
				n.Event(reading(1))
			}
			if silence := time.Since(last); silence > watchdog {
				t.Errorf("interval %v: silent for %v at the end", interval, silence)
			}
		})
	}
}

func TestNotifierWithoutWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		messages := 0
		n := startNotifier(func(string) { messages++ }, 0, 24*time.Hour)
		for range 61 {
			n.Event(reading(1))
			time.Sleep(time.Second)
		}
		if messages != 7 {
			t.Errorf("%d messages a minute, want 7", messages)
		}
	})
}

// Without systemd there is no notifier, and a notifier that is none is silent.
func TestNoNotifier(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n := newNotifier(time.Second)
	if n != nil {
		t.Fatal("a notifier without a socket")
	}
	n.Event(reading(1))
	n.Status(meter.Status{})
	n.Close()
}

// The command as a service: what systemd would get.
func TestService(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "30000000")
	t.Setenv("WATCHDOG_PID", "")
	p := start(t, "measure", "--device", quickSim+",watts=100,load=constant,freq=50", "--interval", "20ms", "--output", os.DevNull)
	receive := func() string {
		t.Helper()
		b := make([]byte, 4096)
		n, err := socket.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	var got string
	for got = receive(); !strings.HasPrefix(got, "READY=1\n"); got = receive() {
		if !strings.HasPrefix(got, "STATUS=") {
			t.Errorf("before the first reading: %q", got)
		}
	}
	if !strings.Contains(got, "\nWATCHDOG=1\nSTATUS=") || !strings.HasSuffix(got, "; 1 reading, 0 gaps") {
		t.Errorf("got %q", got)
	}
	p.signal(syscall.SIGTERM)
	if got := receive(); got != "STOPPING=1\nSTATUS=stopping the meter" {
		t.Errorf("got %q", got)
	}
	if got := p.wait(); got.ExitCode() != 0 {
		t.Error(got)
	}
}
