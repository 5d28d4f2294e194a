package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/logfile"
	"powerspy2/internal/output"
	"powerspy2/measure"
)

const syncFlag = "sync"

// parseSync reads --sync.
func parseSync(c *cli.Context) (time.Duration, error) {
	if c.IsSet(syncFlag) && outputName(c) == "" && !c.IsSet(recordFlag) {
		return 0, c.Usagef("--sync needs --output FILE or --record FILE")
	}
	return c.Duration(syncFlag), nil
}

// outputFile is the file of --output. On SIGHUP it is reopened, for
// logrotate. It makes sentences of the errors of the file.
type outputFile struct {
	*logfile.File
	name string

	stop    context.CancelFunc
	stopped chan struct{}
}

// openOutput opens the file of --output. ctx bounds waiting for the reader of a
// named pipe.
func (s *session) openOutput(ctx context.Context, want *measurement) (*outputFile, error) {
	name := want.output
	shape, err := output.NewShape(want.format, want.options)
	if err != nil {
		return nil, err
	}
	f, err := logfile.Open(ctx, name, logfile.Config{
		Sync:  want.sync,
		Claim: s.claimFile,
		Check: func(c logfile.Content) error { return shape.Check(c.Head, c.Last, c.Torn, c.Mark) },
		Mark:  shape.String(),
	})
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", name, err)
	}
	o := &outputFile{File: f, name: name, stopped: make(chan struct{})}
	s.tellCut(o)
	// Until it is closed, not until ctx ends: a terminal that goes away sends
	// SIGHUP more than once, and the meter is still being told to stop.
	ctx, o.stop = context.WithCancel(context.WithoutCancel(ctx))
	// Under nohup a terminal that goes away is to change nothing.
	endless := signal.Ignored(syscall.SIGHUP) || !onTerminal()
	hangups := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Reset(syscall.SIGHUP) // which ends the command without an output
	}
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer close(o.stopped)
		defer signal.Stop(hangups)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
			}
			if !endless && !onTerminal() {
				s.env.interrupt()
				continue
			}
			s.reopen(ctx, o)
		}
	}()
	return o, nil
}

// reopen reopens the file. When that fails measuring goes on: readings that
// are written to the old file are better than none.
func (s *session) reopen(ctx context.Context, o *outputFile) {
	if err := o.Reopen(ctx); err != nil && !interrupted(ctx, err) {
		s.progress.Failure("output %s: reopening it on SIGHUP: %s", o.name, sentence(err))
		return
	}
	s.tellCut(o)
}

func (s *session) tellCut(o *outputFile) {
	if n := o.Cut(); n > 0 {
		s.progress.Line("output %s: cut off the half line that a crash had left at its end, %d bytes", o.name, n)
	}
}

// onTerminal reports whether this process has a controlling terminal, which it
// loses before the shell passes on the SIGHUP that says so.
func onTerminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	_ = tty.Close() // nothing was written
	return true
}

// Write writes lines as a whole or not at all.
func (o *outputFile) Write(lines []byte) (int, error) {
	n, err := o.File.Write(lines)
	return n, o.sentence(err)
}

// Close waits until nobody reopens the file any more, and closes it.
func (o *outputFile) Close() error {
	o.stop()
	<-o.stopped
	return o.sentence(o.File.Close())
}

func (o *outputFile) sentence(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("output %s: %w", o.name, err)
}

// closingOutput adds the failure of a close to what failed before it, if
// anything. What holds up a write would hold up closing the file, too.
func closingOutput(err *error, o *outputFile) {
	if errors.Is(*err, measure.ErrHeldUp) {
		return
	}
	if cerr := o.Close(); cerr != nil && *err == nil {
		*err = cerr
	}
}
