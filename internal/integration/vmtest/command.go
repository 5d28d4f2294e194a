//go:build integration && linux

package vmtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A User is somebody who runs the command. Both were made with the root image.
type User struct {
	Name   string
	UID    uint32
	Groups []uint32
}

// Ordinary is in no special group. Member is in group bluetooth.
func Ordinary() User { return User{Name: "user", UID: 1000} }

// Member returns the user who is in group bluetooth.
func Member(t testing.TB) User {
	t.Helper()
	out, err := exec.Command("getent", "group", "bluetooth").Output()
	fields := strings.Split(strings.TrimSpace(string(out)), ":")
	if err != nil || len(fields) < 3 {
		t.Fatalf("group bluetooth: %v %q", err, out)
	}
	gid, err := strconv.ParseUint(fields[2], 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return User{Name: "member", UID: 1001, Groups: []uint32{uint32(gid)}}
}

func (u User) home() string {
	if u.UID == 0 {
		return "/root"
	}
	return filepath.Join("/home", u.Name)
}

// makeHomes empties the users' homes.
func makeHomes(t testing.TB) {
	t.Helper()
	for _, u := range []User{Ordinary(), {Name: "member", UID: 1001}} {
		if err := os.RemoveAll(u.home()); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(u.home(), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(u.home(), int(u.UID), int(u.UID)); err != nil {
			t.Fatal(err)
		}
	}
}

// A Cmd is a program to run in the guest.
type Cmd struct {
	Args    []string      // of powerspy
	Program []string      // instead of /host/powerspy; Args follow it
	Env     []string      // added to the user's
	User    User          // Ordinary when zero
	Timeout time.Duration // it is killed then, and the test fails; 90 s when 0
}

// A Line is a line of output and when it came, since the start.
type Line struct {
	At   time.Duration
	Text string
}

// A Result is how a program ended.
type Result struct {
	Stdout  []Line
	Stderr  string
	Status  int // exit status; 128 and more for a signal, as in a shell
	Elapsed time.Duration
}

// Text returns standard output as one string.
func (r *Result) Text() string {
	var b strings.Builder
	for _, l := range r.Stdout {
		b.WriteString(l.Text + "\n")
	}
	return b.String()
}

func (r *Result) String() string {
	return fmt.Sprintf("exit status %d after %v\nstandard output:\n%sstandard error:\n%s",
		r.Status, r.Elapsed.Round(time.Millisecond), r.Text(), r.Stderr)
}

// A Process is a program that runs.
type Process struct {
	cmd   *exec.Cmd
	begun time.Time
	done  chan struct{} // closed when it has ended and result is complete
	limit *time.Timer

	mu     sync.Mutex // guards lines and grown
	lines  []Line
	grown  chan struct{} // closed and replaced when a line is added
	result Result
}

// Run runs a program to its end.
func Run(t testing.TB, c Cmd) *Result {
	t.Helper()
	return Start(t, c).Wait(t)
}

// Start starts a program. The test waits for it at its end at the latest.
func Start(t testing.TB, c Cmd) *Process {
	t.Helper()
	if c.User.Name == "" {
		c.User = Ordinary()
	}
	if c.Timeout == 0 {
		c.Timeout = 90 * time.Second
	}
	args := append(append([]string(nil), c.Program...), c.Args...)
	if len(c.Program) == 0 {
		args = append([]string{hostDir + "/powerspy"}, c.Args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	home := c.User.home()
	cmd.Dir = home
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "USER=" + c.User.Name, "HOME=" + home,
		"XDG_CONFIG_HOME=" + home + "/.config", "XDG_STATE_HOME=" + home + "/.local/state", "XDG_CACHE_HOME=" + home + "/.cache",
	}, c.Env...)
	// A group of its own, so that all of a pipeline can be killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:    true,
		Credential: &syscall.Credential{Uid: c.User.UID, Gid: c.User.UID, Groups: c.User.Groups},
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	// In a shell of the user's the pipe would be the user's.
	if err := cmd.Stdout.(*os.File).Chown(int(c.User.UID), int(c.User.UID)); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr

	p := &Process{cmd: cmd, begun: time.Now(), done: make(chan struct{}), grown: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %q: %v", args, err)
	}
	p.limit = time.AfterFunc(c.Timeout, func() {
		// The group may have ended at this very moment.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	})
	go func() {
		defer close(p.done)
		p.read(stdout)
		err := cmd.Wait()
		timely := p.limit.Stop()
		p.result = Result{Stdout: p.lines, Stderr: stderr.String(), Elapsed: time.Since(p.begun), Status: status(cmd.ProcessState)}
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			p.result.Stderr += fmt.Sprintf("vmtest: %v\n", err)
		}
		if !timely {
			p.result.Stderr += fmt.Sprintf("vmtest: killed after %v\n", c.Timeout)
		}
	}()
	t.Cleanup(func() {
		p.limit.Reset(0)
		if !p.ended(10 * time.Second) {
			t.Errorf("%q can't be killed: it hangs in the kernel", args)
		}
	})
	return p
}

func (p *Process) read(r io.Reader) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, Line{time.Since(p.begun), lines.Text()})
		close(p.grown)
		p.grown = make(chan struct{})
		p.mu.Unlock()
	}
}

func status(s *os.ProcessState) int {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return s.ExitCode()
}

func (p *Process) ended(within time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(within):
		return false
	}
}

// Wait waits for the program's end, which its time-out brings about if nothing
// else does. A program that not even SIGKILL ends fails the test.
func (p *Process) Wait(t testing.TB) *Result {
	t.Helper()
	<-p.exited(t)
	return &p.result
}

func (p *Process) exited(t testing.TB) <-chan struct{} {
	t.Helper()
	if !p.ended(5 * time.Minute) {
		t.Fatalf("%q hangs in the kernel", p.cmd.Args)
	}
	return p.done
}

// WaitLines waits until the program has written n lines.
func (p *Process) WaitLines(t testing.TB, n int) {
	t.Helper()
	limit := time.After(waitTime)
	for {
		p.mu.Lock()
		have, grown := len(p.lines), p.grown
		p.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-grown:
		case <-p.done:
			t.Fatalf("it ended after %d lines of %d: %v", have, n, &p.result)
		case <-limit:
			t.Fatalf("%d lines of %d in %v", have, n, waitTime)
		}
	}
}

// Signal sends a signal to the program.
func (p *Process) Signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal: %v", err)
	}
}

// PeakMemory returns the most memory that the program has had resident, in
// bytes (VmHWM). It is taken from the running program: what wait4(2) tells
// counts in the memory of this one, from before the exec.
func (p *Process) PeakMemory(t testing.TB) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) < 2 || fields[1] != "kB" {
		t.Fatalf("no VmHWM in\n%s", b)
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}
