package main

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"powerspy2/internal/progress"
	"powerspy2/internal/screen"

	"github.com/creack/pty"
	"github.com/rivo/uniseg"
)

func resize(t *testing.T, p *person, columns uint16) {
	t.Helper()
	if err := pty.Setsize(p.master, &pty.Winsize{Rows: 24, Cols: columns}); err != nil {
		t.Fatal(err)
	}
}

// silent is a meter that accepts a connection and never answers.
func silent(t *testing.T) (device string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "tcp://" + l.Addr().String()
}

// slow is a meter that is being connected to for as long as any test takes.
const slow = "sim:slow-connect=1h"

// The line of progress is never wrapped, also after the window has become smaller.
func TestProgressFitsTerminal(t *testing.T) {
	t.Parallel()
	person, cmd := startOnTerminal(t, "info", "--device", slow)
	for _, columns := range []uint16{30, 20} {
		resize(t, person, columns)
		person.until(screen.CutMark)
		// What was being drawn when the size changed has gone by.
		for range 3 {
			frame, _, _ := strings.Cut(strings.TrimPrefix(person.until(screen.CutMark), progress.ClearLine), progress.ClearLine)
			if got := uniseg.StringWidth(frame); got != int(columns)-1 {
				t.Errorf("%q has %d columns on a terminal of %d", frame, got, columns)
			}
		}
	}
	person.typeIn("\x03")
	go person.drain()
	_ = cmd.Wait() // interrupted
}

// A terminal that knows no escape sequences gets lines, as a file does.
func TestDumbTerminal(t *testing.T) {
	for _, kind := range []string{"TERM=dumb", "TERM="} {
		cmd := exec.Command("powerspy", "info", "--device", slow)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), kind)
		master, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { master.Close() })
		person := &person{t, master, bufio.NewReader(master)}
		seen := person.until("\r\n")
		person.typeIn("\x03")
		seen += person.until("powerspy: interrupted\r\n")
		if strings.Contains(seen, "\x1b") || !strings.HasPrefix(seen, "powerspy: opening ") {
			t.Errorf("%s: %q", kind, seen)
		}
		go person.drain()
		_ = cmd.Wait() // interrupted
	}
}

// The table has the columns that fit, and another header when these change.
func TestTableFitsTerminal(t *testing.T) {
	person, cmd := startOnTerminal(t, "measure", "-q", "--device", quickSim, "--interval", "20ms")
	for _, tt := range []struct {
		columns uint16
		header  string
	}{
		{60, "time              power/W    energy/J       total/J\r\n"},
		{40, "time              power/W       total/J\r\n"},
		{30, "time              power/W\r\n"},
		{80, "time              power/W voltage/V current/A  factor    energy/J       total/J\r\n"},
	} {
		resize(t, person, tt.columns)
		person.until(tt.header)
		if row := strings.TrimSuffix(person.until("\r\n"), "\r\n"); len(row) != len(tt.header)-2 || len(row) >= int(tt.columns) {
			t.Errorf("%q on a terminal of %d columns", row, tt.columns)
		}
	}
	person.typeIn("\x03")
	go person.drain()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// Readings of which a part is missing, and those with windows that the meter left
// out, are marked.
func TestTableMarks(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("powerspy", "measure", "-q", "--format", "table", "--device", quickSim+",load=constant",
		"--interval", "400ms", "--duration", "1s").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != 4 || !regexp.MustCompile(`^[0-9:.]{12}   `).MatchString(lines[1]) || !regexp.MustCompile(`^[0-9:.]{12}!  `).MatchString(lines[3]) {
		t.Errorf("got %q", lines)
	}
}
