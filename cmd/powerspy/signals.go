package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptOnSignal calls interrupt on the first SIGINT or SIGTERM. A second one
// ends the program at once, as if it had never been caught: that holds from
// before interrupt is called. The channel is closed when ctx has ended and
// nothing more will happen.
func interruptOnSignal(ctx context.Context, interrupt func()) <-chan struct{} {
	quitOnSignal()
	// Shells start background commands with SIGINT ignored, which is obeyed all
	// the same: scripts end their loggers by it.
	ignored := signal.Ignored(os.Interrupt)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-signals:
		case <-ctx.Done():
		}
		signal.Stop(signals)
		if ignored {
			// It would be ignored again.
			go func() {
				again := make(chan os.Signal, 1)
				signal.Notify(again, os.Interrupt)
				<-again
				os.Exit(128 + int(syscall.SIGINT))
			}()
		}
		interrupt()
	}()
	return done
}
