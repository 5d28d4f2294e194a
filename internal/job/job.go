//go:build unix

package job

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"powerspy2/internal/harmless"
)

// Errors of [Start].
var (
	ErrNotFound      = errors.New("command not found")
	ErrNotExecutable = errors.New("command can't be executed")
)

// A Command is what is to be run.
type Command struct {
	Args []string // the program, looked for in $PATH unless it has a slash, and its arguments
	Env  []string // added to the environment of this process

	// The standard streams. The command has them themselves, but for Stdout with
	// Lines.
	Stdin, Stdout, Stderr *os.File

	// Marks, if not nil, is what the command marks by; its variables are added to Env.
	Marks *Marks

	// Lines, if not nil, is called with each line of the standard output, without
	// its end and of at most [MaxLine] bytes, and when it was read, at the latest when
	// the command ended. The output passes on to Stdout first, as it comes.
	Lines func(at time.Time, line []byte)

	// Terminal: with Lines, the command sees a terminal as its standard output,
	// of the size of the one that Stdout is.
	Terminal bool
}

// Find says what Start would say of a program: an error matches ErrNotFound or
// ErrNotExecutable.
func Find(program string) (path string, err error) {
	path, err = exec.LookPath(program)
	switch {
	case err == nil, errors.Is(err, exec.ErrDot): // $PATH is the user's own business
		return path, nil
	case errors.Is(err, exec.ErrNotFound) && !strings.Contains(program, "/"):
		// As execvp(3): a file that can't be executed is told, if nothing better is
		// found.
		for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
			if info, err := os.Stat(filepath.Join(dir, program)); err == nil && info.Mode().IsRegular() && program != "" {
				return "", fmt.Errorf("%s: %w: %w", harmless.Text(program), ErrNotExecutable, syscall.EACCES)
			}
		}
		return "", fmt.Errorf("%s: %w", harmless.Text(program), ErrNotFound)
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("%s: %w", harmless.Text(program), ErrNotFound)
	}
	if e, ok := errors.AsType[*exec.Error](err); ok {
		err = e.Err
	}
	return "", fmt.Errorf("%s: %w: %w", harmless.Text(program), ErrNotExecutable, err)
}

// A Job is a command that was started.
type Job struct {
	cmd    *exec.Cmd
	start  time.Time
	read   *moments
	output *relay // nil: the command has its own

	hurry   chan struct{} // closed by Hurry
	hurried sync.Once
}

// Start starts a command. Errors match ErrNotFound or ErrNotExecutable, or are
// those of the system.
func Start(c Command) (*Job, error) {
	path, err := Find(c.Args[0])
	if err != nil {
		return nil, err
	}
	j := &Job{hurry: make(chan struct{}), cmd: &exec.Cmd{
		Path: path, Args: c.Args, Env: append(os.Environ(), c.Env...),
		Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr,
	}, read: new(moments)}
	if c.Marks != nil {
		j.cmd.Env = append(j.cmd.Env, c.Marks.Env()...)
		j.read = &c.Marks.read
	}
	if c.Lines != nil {
		if j.output, err = newRelay(&c, j.read); err != nil {
			return nil, err
		}
		j.cmd.Stdout = j.output.theirs
	}
	j.start = time.Now()
	if err := j.cmd.Start(); err != nil {
		if j.output != nil {
			j.output.abandon()
		}
		return nil, started(c.Args[0], err)
	}
	if j.output != nil {
		j.output.begin()
	}
	return j, nil
}

// Started returns when the command was started.
func (j *Job) Started() time.Time { return j.start }

// started says what kind of error starting a program had.
func started(program string, err error) error {
	var kind error
	switch {
	case errors.Is(err, syscall.ENOENT):
		// The program is there: what it names as its interpreter is not.
		kind, err = ErrNotExecutable, errors.New("its interpreter is not there")
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.ENOEXEC), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.E2BIG), errors.Is(err, syscall.ETXTBSY), errors.Is(err, syscall.EPERM):
		kind = ErrNotExecutable
		if errno, ok := errors.AsType[syscall.Errno](err); ok {
			err = errno
		}
	default:
		return err
	}
	return fmt.Errorf("%s: %w: %w", harmless.Text(program), kind, err)
}

// PID returns the process of the command.
func (j *Job) PID() int { return j.cmd.Process.Pid }

// Signal sends the command a signal. One that has ended gets none.
func (j *Job) Signal(s os.Signal) {
	_ = j.cmd.Process.Signal(s) // it has ended, or is somebody else's by now
}

// Hurry says that the command was told to end: once it has, the rest of its output waits
// only a second for who reads it.
func (j *Job) Hurry() { j.hurried.Do(func() { close(j.hurry) }) }

// A Result says how a command went.
type Result struct {
	Start, End time.Time
	Code       int            // exit status; -1 when a signal killed it
	Signal     syscall.Signal // that killed it; 0: none

	// What it and its children that it waited for used (getrusage(2)).
	User, System time.Duration
	MaxRSS       int64 // largest resident set of one of them, bytes

	// Small: MaxRSS is that of this process, which the command began as (execve(2)):
	// it had less.
	Small bool

	// Held: its children still hold its standard output, which is read no more.
	Held bool

	// Unread: nobody read the end of its standard output, which is lost.
	Unread bool
}

// Duration returns how long the command took.
func (r *Result) Duration() time.Duration { return r.End.Sub(r.Start) }

// Status returns what a shell calls its exit status: 128 and the signal where one
// killed it.
func (r *Result) Status() int {
	if r.Signal != 0 {
		return 128 + int(r.Signal)
	}
	return r.Code
}

// Wait waits until the command has ended, and its output has passed on.
func (j *Job) Wait() (Result, error) {
	err := j.cmd.Wait()
	r := Result{Start: j.start, End: j.read.finish()}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return r, fmt.Errorf("wait for %s: %w", j.cmd.Args[0], err)
	}
	state := j.cmd.ProcessState
	r.Code = state.ExitCode()
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		r.Signal = ws.Signal()
	}
	r.User, r.System = state.UserTime(), state.SystemTime()
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		r.MaxRSS = resident(usage)
		var own syscall.Rusage
		r.Small = syscall.Getrusage(syscall.RUSAGE_SELF, &own) == nil && r.MaxRSS <= resident(&own)
	}
	if j.output != nil {
		r.Held, r.Unread = j.output.finish(j.hurry)
	}
	return r, nil
}

// resident returns the largest resident set in bytes.
func resident(usage *syscall.Rusage) int64 {
	if runtime.GOOS == "linux" {
		return int64(usage.Maxrss) * 1024 // getrusage(2)
	}
	return int64(usage.Maxrss)
}
