package signals

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// A Handler decides what the signals that end this program do. A nil one is for a
// program that gets none.
type Handler struct {
	// ignored: SIGINT is, as shells start background commands.
	ignored bool

	mu    sync.Mutex
	taken chan<- os.Signal // where they go; nil: they end the program
}

// take has the signals go to a channel, which should have room for some, until
// release is called.
func (h *Handler) take(to chan<- os.Signal) (release func()) {
	h.give(to)
	return func() { h.give(nil) }
}

func (h *Handler) give(to chan<- os.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taken = to
}

// pass hands a signal to who has taken them.
func (h *Handler) pass(sig os.Signal) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken == nil {
		return false
	}
	select {
	case h.taken <- sig:
	default: // it is still busy with those before
	}
	return true
}

// Interrupt calls interrupt on the first SIGINT, SIGTERM or, unless it is
// ignored, SIGHUP that nobody has taken. A second SIGINT or SIGTERM ends the
// program at once, as if it had never been caught: that holds from before
// interrupt is called. SIGHUP comes more than once from a terminal that goes away,
// while the meter is still being told to stop. The channel is closed when ctx has
// ended and nothing more will happen; it yields SIGHUP before that if it ended ctx.
//
// Who gives SIGHUP another meaning calls signal.Reset for it first.
func Interrupt(ctx context.Context, interrupt func()) (*Handler, <-chan os.Signal) {
	quitOnSignal()
	// Shells start background commands with SIGINT ignored, which is obeyed all
	// the same: scripts end their loggers by it.
	h := &Handler{ignored: signal.Ignored(os.Interrupt)}
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGTERM, os.Interrupt)
	hangups := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGHUP) { // nohup(1)
		signal.Notify(hangups, syscall.SIGHUP)
	}
	done := make(chan os.Signal, 1)
	go func() {
		defer close(done)
		for waiting := true; waiting; {
			select {
			case sig := <-caught:
				waiting = h.pass(sig)
			case hangup := <-hangups:
				if waiting = h.pass(hangup); !waiting {
					done <- hangup
				}
			case <-ctx.Done():
				waiting = false
			}
		}
		if h.ignored {
			// It would be ignored again, also if it came just now.
			again := make(chan os.Signal, 1)
			signal.Notify(again, os.Interrupt)
			go func() {
				<-again
				os.Exit(128 + int(syscall.SIGINT))
			}()
		}
		signal.Stop(caught)
		interrupt()
	}()
	return h, done
}

// EndBy ends the program by a signal that it had caught, as who started it
// expects.
func EndBy(s os.Signal) {
	signal.Reset(s)
	if p, err := os.FindProcess(os.Getpid()); err != nil || p.Signal(s) != nil {
		return
	}
	time.Sleep(time.Second) // until it arrives
}
