package signals

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"powerspy2/internal/job"
)

// A Job is the signals that this program gets while a job runs.
type Job struct {
	got      chan os.Signal
	releases []func()
}

// ForJob keeps signals from ending this program until Release is called. For a command
// it also gives signals that are ignored here their usual meaning there.
func (h *Handler) ForJob(command bool) *Job {
	if h == nil {
		h = new(Handler)
	}
	s := &Job{got: make(chan os.Signal, 16)}
	s.releases = append(s.releases, h.take(s.got), func() { signal.Stop(s.got) })
	if !command {
		return s
	}
	s.releases = append(s.releases, catchQuit())
	signal.Notify(s.got, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	if h.ignored {
		signal.Ignore(os.Interrupt)
	}
	// What is ignored stays so in a new program, what is caught does not.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGPIPE, syscall.SIGXFSZ)
	s.releases = append(s.releases, func() { signal.Ignore(syscall.SIGPIPE, syscall.SIGXFSZ) })
	return s
}

// Got is where the signals arrive, unless they are passed on.
func (s *Job) Got() <-chan os.Signal { return s.got }

// PassTo passes the signals on to a job. Those that a terminal sends to all who
// are in its foreground have reached the command already.
func (s *Job) PassTo(j *job.Job) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case sig := <-s.got:
				if sig != syscall.SIGUSR1 && sig != syscall.SIGUSR2 {
					j.Hurry()
				}
				if (sig == os.Interrupt || sig == syscall.SIGQUIT) && inForeground() {
					continue
				}
				j.Signal(sig)
			case <-stop:
				return
			}
		}
	}()
	s.releases = append(s.releases, func() { close(stop); <-stopped })
}

// Release gives signals back the meaning that they had.
func (s *Job) Release() {
	for _, f := range s.releases {
		f()
	}
}

// inForeground reports whether a terminal sends its signals to this process group.
func inForeground() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
