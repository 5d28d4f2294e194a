package main

import (
	"context"
	"os"
	"sync"
	"syscall"

	"powerspy2/internal/job"
)

// benchSignals are the signals that this program gets while a bench runs. The first
// one that ends a program reaches the command that runs and ends the bench; the next
// one kills a command that goes on all the same, or ends the measurement if none runs;
// one more ends the program.
type benchSignals struct {
	*jobSignals
	told func() // ends the bench
	quit func() // ends the measurement

	mu  sync.Mutex
	job *job.Job // nil: none runs
}

// takeBenchSignals returns them, with the context that ends with the first one.
func (a *app) takeBenchSignals(parent context.Context) (context.Context, *benchSignals) {
	ctx, cancel := context.WithCancel(parent)
	s := &benchSignals{jobSignals: a.takeSignals(true), told: cancel, quit: a.env.interrupt}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for ends := 0; ; {
			select {
			case sig := <-s.got:
				if sig != os.Interrupt && sig != syscall.SIGTERM && sig != syscall.SIGHUP {
					s.pass(sig)
					continue
				}
				if sig == syscall.SIGHUP && ends > 0 {
					continue // a terminal that goes away sends some
				}
				ends++
				s.end(ends, sig)
			case <-stop:
				return
			}
		}
	}()
	s.releases = append(s.releases, func() { close(stop); <-stopped; cancel() })
	return ctx, s
}

// end does what the n-th signal that ends a program asks for.
func (s *benchSignals) end(n int, sig os.Signal) {
	switch n {
	case 1:
		s.told()
		s.pass(sig)
	case 2:
		if !s.pass(syscall.SIGKILL) && s.quit != nil {
			s.quit()
		}
	default:
		endBy(sig)
	}
}

// pass passes a signal to the command that runs, unless it has it already, and returns
// whether there is one.
func (s *benchSignals) pass(sig os.Signal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job == nil {
		return false
	}
	if (sig != os.Interrupt && sig != syscall.SIGQUIT) || !inForeground() {
		s.job.Signal(sig)
	}
	return true
}

// PassTo implements [commands.Signals]. It passes signals to a job until done is called.
func (s *benchSignals) PassTo(j *job.Job) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.job = j
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.job = nil
	}
}
