package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"powerspy2/internal/progress"
	"powerspy2/powerspy"

	"github.com/creack/pty"
)

// process is the command in a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader
	out    io.Closer
	stderr *bufio.Reader
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startProgram(t, "powerspy", args...)
}

// startProgram is start for what runs the command in its turn.
func startProgram(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program, args...)}
	p.cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME=", "POWERSPY_DEVICE=", "POWERSPY=")
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout, p.out, p.stderr = bufio.NewReader(stdout), stdout, bufio.NewReader(stderr)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			if err := errors.Join(p.cmd.Process.Kill(), p.cmd.Wait()); err != nil {
				t.Log(err)
			}
		}
	})
	return p
}

// line reads a line of standard output.
func (p *process) line() string {
	p.t.Helper()
	l, err := p.stdout.ReadString('\n')
	if err != nil {
		p.t.Fatalf("standard output: %v", err)
	}
	return strings.TrimSuffix(l, "\n")
}

// told reads standard error until a line is the wanted one.
func (p *process) told(want string) {
	p.t.Helper()
	for {
		l, err := p.stderr.ReadString('\n')
		if err != nil {
			p.t.Fatalf("standard error ended without %q: %v", want, err)
		}
		if l == want+"\n" {
			return
		}
	}
}

// stopped reads standard error, where -v traces what comes, to its end: the meter
// has said last that it has stopped. A trace may cut an answer in two, or begin
// with what came before it.
func (p *process) stopped() {
	p.t.Helper()
	var came strings.Builder
	for {
		l, err := p.stderr.ReadString('\n')
		if trace, ok := strings.CutPrefix(l, "< "); ok {
			came.WriteString(strings.TrimSuffix(trace, "\n"))
		}
		if err != nil {
			break
		}
	}
	if !strings.HasSuffix(came.String(), `<K>\n\r`) {
		p.t.Fatalf("the meter did not say that it stopped: %q", came.String())
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait returns how the process ended.
func (p *process) wait() *os.ProcessState {
	p.t.Helper()
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState
}

// Ctrl-C and SIGTERM: the meter is told to stop, and that was it.
func TestSignalStopsTheMeter(t *testing.T) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		p := start(t, "measure", "-v", "--device", quickSim, "--interval", "20ms")
		p.line()
		p.signal(s)
		p.told("> <Q>")
		p.stopped()
		if got := p.wait(); got.ExitCode() != 0 {
			t.Errorf("%v: %v", s, got)
		}
	}
}

// The second Ctrl-C does not wait for a meter that does not answer.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	got := interruptedTwice(t, func() *process {
		return start(t, "measure", "-v", "--device", quickSim+",mute=Q", "--interval", "20ms")
	})
	if ws, ok := got.Sys().(syscall.WaitStatus); !ok || !ws.Signaled() || ws.Signal() != syscall.SIGINT {
		t.Errorf("got %v, want an end by SIGINT", got)
	}
}

// interruptedTwice returns how a verbose measurement ends whose meter does not answer
// when it is told to stop, and which is interrupted a second time meanwhile: that is
// soon over, so a test that was held up says nothing.
func interruptedTwice(t *testing.T, started func() *process) *os.ProcessState {
	t.Helper()
	for range 10 {
		p := started()
		p.line()
		begun := time.Now()
		p.signal(os.Interrupt)
		p.told("> <Q>")
		p.signal(os.Interrupt)
		took := time.Since(begun)
		if got := p.wait(); took < powerspy.DefaultTimeout/2 {
			return got
		}
	}
	t.Fatal("no second signal comes in time")
	return nil
}

// Closing standard output while readings come: the meter is stopped.
func TestReaderGoesAway(t *testing.T) {
	p := start(t, "measure", "-v", "--device", quickSim, "--interval", "20ms")
	p.line()
	if err := p.out.Close(); err != nil {
		t.Fatal(err)
	}
	p.told("> <Q>")
	p.stopped()
	if got := p.wait(); got.ExitCode() != 0 {
		t.Error(got)
	}
}

// What was measured until Ctrl-C is summed up, and the exit status stays that
// of a run that was ended so.
func TestInterruptedSummary(t *testing.T) {
	p := start(t, "measure", "-d", quickSim, "-i", "20ms", "--summary")
	p.line()
	p.signal(os.Interrupt)
	p.told("gaps      none")
	if got := p.wait(); got.ExitCode() != 0 {
		t.Errorf("got %v", got)
	}
}

func TestInterruptedBeforeAnswer(t *testing.T) {
	device := silent(t)
	for command, want := range map[string]int{"measure": 6, "gmt": 6, "info": 1, "setup": 1, "doctor": 1} {
		p := start(t, command, "-v", "--device", device)
		p.told("> <?>")
		p.signal(os.Interrupt)
		if want == 6 {
			p.told(nothingMeasured)
		} else {
			p.told("powerspy: interrupted")
		}
		if got := p.wait(); got.ExitCode() != want {
			t.Errorf("%s: %v, want exit status %d", command, got, want)
		}
	}
}

const nothingMeasured = "powerspy: measure: nothing was measured: it was stopped before the first reading"

// A measurement that is stopped before the first reading says so, and has the
// meter stopped. So does that of the Green Metrics Tool, which would take an empty
// log for no energy.
func TestInterruptedBeforeFirstReading(t *testing.T) {
	for _, command := range []string{"measure", "gmt"} {
		for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
			p := start(t, command, "-v", "--device", "sim:link=ideal,first=1h")
			for {
				l, err := p.stderr.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(l, "> <J") {
					break
				}
			}
			p.signal(s)
			p.told("> <Q>")
			p.told(nothingMeasured)
			if got := p.wait(); got.ExitCode() != 6 {
				t.Errorf("%s, %v: %v", command, s, got)
			}
		}
	}
}

// The simulator as a program of its own, and the command that it says to try.
func TestSimulatorServes(t *testing.T) {
	t.Parallel()
	link := filepath.Join(t.TempDir(), "meter")
	for _, args := range [][]string{
		{"sim", "--tcp", "delay=0s,jitter=0s,stall=0,serial=11,busy=wait"},
		{"sim", "--tcp=127.0.0.1:0", "delay=0s,jitter=0s,stall=0,serial=11,busy=wait"},
		{"sim", "--tcp", "127.0.0.1:0", "delay=0s,jitter=0s,stall=0,serial=11,busy=wait"},
		{"sim", "--pty", "delay=0s,jitter=0s,stall=0,serial=11,busy=wait"},
		{"sim", "--pty", "--link", link, "sim:link=ideal,first=clean,serial=11,busy=wait"},
	} {
		p := start(t, args...)
		if l := p.line(); !strings.HasPrefix(l, "a simulated PowerSpy listens on ") {
			t.Fatalf("%v: %q", args, l)
		}
		try, ok := strings.CutPrefix(p.line(), "try: powerspy measure --device ")
		if !ok {
			t.Fatalf("%v: does not say what to try", args)
		}
		for range 2 { // one client after the other
			m := start(t, "measure", "-q", "--device", try, "--interval", "20ms", "--count", "3")
			for range 3 {
				m.line()
			}
			if got := m.wait(); got.ExitCode() != 0 {
				t.Errorf("%v: measure: %v", args, got)
			}
		}
		m := start(t, "info", "-q", "--device", try)
		m.line()
		if l := m.line(); l != "serial number        11" {
			t.Errorf("%v: info: %q", args, l)
		}
		m.wait()
		p.signal(syscall.SIGTERM)
		if got := p.wait(); got.ExitCode() != 0 {
			t.Errorf("%v: %v", args, got)
		}
	}
	if _, err := os.Lstat(link); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link was left behind: %v", err)
	}
}

// startOnTerminal runs the command with a terminal as all of its files, and as
// the one whose Ctrl-C it gets.
func startOnTerminal(t *testing.T, args ...string) (*person, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command("powerspy", args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME=", "POWERSPY_DEVICE=", "TERM=xterm")
	master, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	return &person{t, master, bufio.NewReader(master)}, cmd
}

func TestTableOnTerminal(t *testing.T) {
	person, cmd := startOnTerminal(t, "measure", "--device", quickSim, "--interval", "20ms")
	if seen := person.until("total/J\r\n"); seen != "time              power/W voltage/V current/A  factor    energy/J       total/J\r\n" {
		t.Errorf("the first line is %q", seen)
	}
	person.until("\r\n")
	person.typeIn("\x03")
	go person.drain()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestProgressThenCtrlC(t *testing.T) {
	t.Parallel()
	person, cmd := startOnTerminal(t, "info", "--device", slow)
	if seen := person.until("(1s)"); !strings.HasPrefix(seen, progress.ClearLine+"| ") {
		t.Errorf("progress: %q", seen)
	}
	person.typeIn("\x03")
	person.until(progress.ClearLine + "powerspy: interrupted")
	go person.drain()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("got %v, want exit status 1", err)
	}
}

// drain reads what else there is, so that the other end can finish.
func (p *person) drain() { _, _ = io.Copy(io.Discard, p.seen) }
