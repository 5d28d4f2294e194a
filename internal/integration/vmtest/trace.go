//go:build integration && linux

package vmtest

import (
	"bufio"
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

var (
	callBegins = regexp.MustCompile(`^\d+ +([a-z0-9_]+)\(`)
	lineWrites = regexp.MustCompile(`^\d+ +write\(\d+, "\d{16} `)
)

// notOfReadings are system calls that say nothing of what a reading costs: the
// clock, which needs one only where the kernel distrusts the processor's, as it
// may in a guest on a busy machine, and those of the runtime's monitor
// thread, which sleeps in steps while another thread is in a call, and interrupts
// (with getpid, tgkill and the signal's return) what runs for over 10 ms, as much
// does on an emulated processor that is traced.
var notOfReadings = []string{"clock_gettime", "nanosleep", "getpid", "tgkill", "rt_sigreturn"}

// syscalls counts the system calls in strace's output (-f -o) between the
// writes of two plain lines, by name. Calls that were interrupted
// and resumed count once; strace's own remarks do not, nor what is
// notOfReadings.
func syscalls(t testing.TB, path string, from, to int) (n int, kinds map[string]int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	kinds = make(map[string]int)
	lines, written := bufio.NewScanner(f), 0
	for lines.Scan() {
		if lineWrites.Match(lines.Bytes()) {
			written++
		}
		call := callBegins.FindSubmatch(lines.Bytes())
		if call == nil || written <= from || written > to || slices.Contains(notOfReadings, string(call[1])) {
			continue
		}
		n++
		kinds[string(call[1])]++
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if written < to {
		t.Fatalf("%d lines were written, want %d", written, to)
	}
	return n, kinds
}

// Lines returns how many lines the program has written.
func (p *Process) Lines() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.lines)
}

// waitUnlinked waits until the kernel has dropped an idle link to a meter,
// which takes it two seconds, so that the next connect has to page.
func (m *Machine) waitUnlinked(t testing.TB, meter *Meter) {
	t.Helper()
	path := devicePath(hci0, meter.Address())
	m.wait(t, "the link to "+strings.TrimPrefix(string(path), "/org/bluez/")+" to go", func(ctx context.Context) (bool, error) {
		var v dbus.Variant
		err := m.conn.Object(bluezName, path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart, deviceIface, "Connected").Store(&v)
		connected, ok := v.Value().(bool)
		return ok && !connected && !meter.Status().Linked, err
	})
}
