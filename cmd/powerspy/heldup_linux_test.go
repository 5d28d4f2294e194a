package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// startOn is start with a file for standard output.
func startOn(t *testing.T, stdout *os.File, args ...string) (p *process, stderr *os.File) {
	t.Helper()
	p = &process{t: t, cmd: exec.Command("powerspy", args...)}
	p.cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME=", "POWERSPY_DEVICE=", "POWERSPY=")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	p.cmd.Stdout, p.cmd.Stderr, p.stderr = stdout, w, bufio.NewReader(r)
	if err := errors.Join(p.cmd.Start(), w.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait() // was killed
		}
	})
	return p, r
}

// fill writes to a descriptor until its reader would have to read.
func fill(t *testing.T, fd int) {
	t.Helper()
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	for size := len(b); size > 0; size /= 2 {
		for {
			_, err := unix.Write(fd, b[:size])
			if err == unix.EAGAIN {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}

// quiet waits until no more comes: the command is held up, since it would tell
// of each frame.
func quiet(t *testing.T, p *process, stderr *os.File) {
	t.Helper()
	for {
		if err := stderr.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := p.stderr.ReadString('\n')
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatalf("standard error: %v", err)
		}
	}
	if err := stderr.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// A reader that has stopped keeps no signal from stopping the meter, and from
// ending the command.
func TestSignalWhileHeldUp(t *testing.T) {
	t.Parallel()
	outputs := map[string]func(t *testing.T) (stdout *os.File, args []string){
		"pipe": func(t *testing.T) (*os.File, []string) {
			var fds [2]int
			if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Close(fds[0]) })
			fill(t, fds[1])
			return os.NewFile(uintptr(fds[1]), "pipe"), nil
		},
		"socket": func(t *testing.T) (*os.File, []string) {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Close(fds[0]) })
			fill(t, fds[1])
			return os.NewFile(uintptr(fds[1]), "socket"), nil
		},
		"FIFO": func(t *testing.T) (*os.File, []string) {
			path := fifo(t)
			null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			return null, []string{"--output", path}
		},
	}
	for name, output := range outputs {
		for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
			t.Run(name+"/"+s.String(), func(t *testing.T) {
				t.Parallel()
				stdout, args := output(t)
				p, stderr := startOn(t, stdout, append([]string{"measure", "-v", "-d", quickSim, "-i", "20ms"}, args...)...)
				if err := stdout.Close(); err != nil {
					t.Fatal(err)
				}
				p.told("> <J0001>")
				p.frames(3) // there is a reading that can't be written
				quiet(t, p, stderr)
				p.signal(s)
				p.told("> <Q>")
				p.stopped()
				if got := p.wait(); got.ExitCode() != 1 {
					t.Errorf("got %v", got)
				}
			})
		}
	}
}

// Nor does a reader of standard error that has stopped.
func TestSignalWhileNobodyReadsErrors(t *testing.T) {
	t.Parallel()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, stderr := startOn(t, null, "measure", "-v", "-d", quickSim, "-i", "20ms")
	if err := null.Close(); err != nil {
		t.Fatal(err)
	}
	p.told("> <J0001>")
	p.frames(3) // there is a reading
	// The trace of the frames fills the pipe, whose size is one page by then, and
	// the measurement waits for it.
	pending := func() int {
		n, err := unix.IoctlGetInt(int(stderr.Fd()), unix.TIOCINQ)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if _, err := unix.FcntlInt(stderr.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize()); err != nil && err != unix.EBUSY {
		t.Fatal(err)
	}
	for before := -1; before != pending(); time.Sleep(time.Second) {
		before = pending()
	}
	p.signal(syscall.SIGTERM)
	// What the meter sent meanwhile may have been too much to be kept.
	if got := p.wait(); got.ExitCode() != 0 && got.ExitCode() != withGaps {
		t.Errorf("got %v", got)
	}
}

// fifo makes a named pipe whose reader has stopped.
func fifo(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	both, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { both.Close() })
	fill(t, int(both.Fd()))
	return path
}

// A recording that takes nothing keeps neither the report of a job from being told
// nor a signal from ending the command.
func TestRecordingHeldUp(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"run":   {"run", "-v", "-d", quickSim, "--record", fifo(t), "sleep", "1.5"},
		"bench": {"bench", "-v", "-d", quickSim, "-r", "2", "-w", "0", "--calm", "0", "--record", fifo(t), "sleep 0.5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, args...)
			if name == "run" {
				for l := ""; !strings.HasPrefix(l, "energy "); {
					var err error
					if l, err = p.stderr.ReadString('\n'); err != nil {
						t.Fatal(err)
					}
				}
			} else {
				p.told("> <Q>")
			}
			p.signal(syscall.SIGTERM)
			told, err := io.ReadAll(p.stderr)
			if err != nil || !strings.Contains(string(told), "fifo: what was measured could not be handed on\n") {
				t.Errorf("%v: %s", err, told)
			}
			if name == "bench" {
				if l := p.line(); !strings.HasPrefix(l, "mean ") {
					t.Errorf("the results begin with %q", l)
				}
			}
			if got := p.wait(); !got.Exited() || got.Success() {
				t.Errorf("got %v", got)
			}
		})
	}
}

// Nor does a reader of results that has stopped: the first signal ends the command.
func TestResultsHeldUp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"info", "-d", quickSim}, {"run", "-d", quickSim, "-o", "-", "-f", "json", "true"}, {"help"}, {"files", "list", "-d", quickSim},
	} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			fill(t, int(w.Fd()))
			p, _ := startOn(t, w, args...)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			writes(t, p.cmd.Process.Pid)
			p.signal(os.Interrupt)
			told, err := io.ReadAll(p.stderr)
			if err != nil || !strings.HasSuffix(string(told), "powerspy: standard output: its reader has stopped reading\n") {
				t.Errorf("%v: %s", err, told)
			}
			if got := p.wait(); !got.Exited() || got.Success() {
				t.Errorf("got %v", got)
			}
		})
	}
}

// writes waits until a thread of a process is in write(2) to its standard output.
func writes(t *testing.T, pid int) {
	t.Helper()
	for {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
		if err != nil || len(tasks) == 0 {
			t.Fatalf("%v: the process has ended", err)
		}
		for _, task := range tasks {
			var number, fd int64
			text, _ := os.ReadFile(task) // of a thread that ends meanwhile there is none
			if n, _ := fmt.Sscanf(string(text), "%d 0x%x", &number, &fd); n == 2 && number == unix.SYS_WRITE && fd == 1 {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Where SIGINT was ignored at the start, as in the background of a script, it is
// obeyed all the same, and a second one still ends the command at once.
func TestIgnoredInterrupt(t *testing.T) {
	script := func(device string) *process {
		return startProgram(t, "sh", "-c", `trap '' INT; exec powerspy measure -v -d "$1" -i 20ms`, "sh", device)
	}
	p := script(quickSim)
	p.line()
	p.signal(os.Interrupt)
	p.told("> <Q>")
	p.stopped()
	if got := p.wait(); got.ExitCode() != 0 {
		t.Errorf("got %v", got)
	}

	got := interruptedTwice(t, func() *process { return script(quickSim + ",mute=Q") })
	if got.ExitCode() != 128+int(syscall.SIGINT) {
		t.Errorf("a second time: got %v", got)
	}
}

// SIGQUIT ends the command at once by the signal, without Go's report.
func TestQuit(t *testing.T) {
	p := start(t, "measure", "-d", quickSim, "-i", "20ms")
	p.line()
	p.signal(syscall.SIGQUIT)
	text, err := io.ReadAll(p.stderr)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 500 {
		t.Errorf("it said:\n%s", text)
	}
	got := p.wait()
	if ws, ok := got.Sys().(syscall.WaitStatus); !ok || !ws.Signaled() || ws.Signal() != syscall.SIGQUIT {
		t.Errorf("got %v, want an end by SIGQUIT", got)
	}
}
