package signals

import (
	"context"
	"os"
	"sync"
	"syscall"

	"powerspy2/internal/job"
)

// A Bench is the signals that this program gets while a bench runs. The first
// one that ends a program reaches the command that runs and ends the bench; the next
// one kills a command that goes on all the same, or ends the measurement if none runs;
// one more ends the program.
type Bench struct {
	taken *Job
	told  func() // ends the bench
	quit  func() // ends the measurement

	mu   sync.Mutex
	runs *job.Job // nil: none runs
}

// ForBench returns the signals of a bench, with the context that ends with the first
// one. quit ends the measurement; nil: nothing does. Release has to be called.
func (h *Handler) ForBench(parent context.Context, quit func()) (context.Context, *Bench) {
	ctx, cancel := context.WithCancel(parent)
	s := &Bench{taken: h.ForJob(true), told: cancel, quit: quit}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for ends := 0; ; {
			select {
			case sig := <-s.taken.got:
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
	s.taken.releases = append(s.taken.releases, func() { close(stop); <-stopped; cancel() })
	return ctx, s
}

// Release gives signals back the meaning that they had.
func (s *Bench) Release() { s.taken.Release() }

// end does what the n-th signal that ends a program asks for.
func (s *Bench) end(n int, sig os.Signal) {
	switch n {
	case 1:
		s.told()
		s.pass(sig)
	case 2:
		if !s.pass(syscall.SIGKILL) && s.quit != nil {
			s.quit()
		}
	default:
		EndBy(sig)
	}
}

// pass passes a signal to the command that runs, unless it has it already, and returns
// whether there is one.
func (s *Bench) pass(sig os.Signal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs == nil {
		return false
	}
	if (sig != os.Interrupt && sig != syscall.SIGQUIT) || !inForeground() {
		s.runs.Signal(sig)
	}
	return true
}

// PassTo passes signals to a job until done is called.
func (s *Bench) PassTo(j *job.Job) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = j
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.runs = nil
	}
}
