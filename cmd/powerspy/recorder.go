package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/progress"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

const recordFlag = "record"

// recordTo is the flag of commands that measure and can keep what they measure.
func recordTo() *cli.Flag {
	return &cli.Flag{Name: recordFlag, Takes: cli.File{}, Usage: "append every window to the recording `FILE`; compressed if it ends in .zst"}
}

// mostQueued is how many windows wait for a file that takes none: five minutes of
// those of one mains period.
const mostQueued = 16384

// A recorder is the recording of --record, a sink. A goroutine of its own writes the
// file: a disk that hangs holds up neither what is measured nor a signal. Where it
// can't be written any more that is told once, and measuring goes on: see closing. A
// nil recorder is no recording, and all its methods do nothing.
type recorder struct {
	file     *record.File
	name     string
	progress *progress.Teller
	ctx      context.Context // of the command
	written  chan struct{}   // closed when the file takes no more

	mu     sync.Mutex
	queue  []queued
	spare  []queued // to be used as queue again
	wake   sync.Cond
	closed bool
	over   bool  // too much is queued: what comes is not recorded
	failed error // told already
}

// A queued is what waits to be written: an event, or something else.
type queued struct {
	event meter.Event
	other func(*record.File) error // nil: the event
}

// recording opens the file of --record; nil without the flag. It is opened before
// the meter is: no use in waking one for nothing. c bounds waiting for the reader
// of a named pipe.
func (s *session) recording(c *cli.Context) (*recorder, error) {
	name := c.String(recordFlag)
	switch name {
	case "":
		return nil, nil
	case standardOutput:
		return nil, c.Usagef("--record takes a file: what is read again is no stream")
	}
	f, err := record.OpenFile(c.Context, name, record.FileConfig{Sync: c.Duration(syncFlag), Claim: s.claimFile})
	if err != nil {
		return nil, fmt.Errorf("recording %s: %w", name, err)
	}
	if n := f.Cut(); n > 0 {
		s.progress.Line("recording %s: cut off what a crash had left at its end, %d bytes", name, n)
	}
	return newRecorder(c.Context, f, name, s.progress), nil
}

// newRecorder returns a recorder of a file, which tells its failures to progress.
func newRecorder(ctx context.Context, f *record.File, name string, progress *progress.Teller) *recorder {
	r := &recorder{file: f, name: name, progress: progress, ctx: ctx, written: make(chan struct{})}
	r.wake.L = &r.mu
	go r.write()
	return r
}

// write writes what is queued until the recorder is closed, or too much was.
func (r *recorder) write() {
	defer close(r.written)
	for {
		r.mu.Lock()
		for len(r.queue) == 0 && !r.closed {
			r.wake.Wait()
		}
		queue := r.queue
		r.queue = r.spare[:0]
		over := r.over
		r.mu.Unlock()
		if len(queue) == 0 {
			return
		}
		for i := range queue {
			if q := &queue[i]; q.other != nil {
				r.tell(q.other(r.file))
			} else {
				r.tell(r.file.Event(&q.event))
			}
		}
		if over {
			return
		}
		clear(queue)
		r.mu.Lock()
		r.spare = queue
		r.mu.Unlock()
	}
}

// put queues what is to be written.
func (r *recorder) put(q queued) {
	r.mu.Lock()
	r.over = r.over || len(r.queue) == mostQueued
	over := r.over
	if !over {
		r.queue = append(r.queue, q)
		r.wake.Signal()
	}
	r.mu.Unlock()
	if over {
		r.tell(measure.ErrHeldUp)
	}
}

// Sinks returns the recorder as the sinks that there are.
func (r *recorder) Sinks() []measure.Sink {
	if r == nil {
		return nil
	}
	return []measure.Sink{r}
}

// Begin begins the recording of a source. The error is that the file holds one of
// another meter.
func (r *recorder) Begin(src measure.Source) error {
	if r == nil {
		return nil
	}
	if err := r.file.Begin(record.NewHeader(src, toolVersion())); err != nil {
		return fmt.Errorf("recording %s: %w", r.name, err)
	}
	return nil
}

// Event implements measure.Sink. It does not fail.
func (r *recorder) Event(e *meter.Event) error {
	r.put(queued{event: *e})
	// What is shown has been recorded, unless the disk is slow.
	runtime.Gosched()
	return nil
}

// End implements measure.Sink. It does not fail.
func (r *recorder) End() error {
	r.put(queued{other: (*record.File).End})
	return nil
}

// Mark records a mark.
func (r *recorder) Mark(m measure.Mark) {
	if r != nil {
		r.put(queued{other: func(f *record.File) error { return f.Mark(m) }})
	}
}

// Job records the start of a job, or its end. Of one that does not fit into a line
// it leaves out what is long.
func (r *recorder) Job(j record.Job) {
	if r == nil {
		return
	}
	r.put(queued{other: func(f *record.File) error {
		err := f.Job(j)
		if errors.Is(err, record.ErrTooLong) {
			j.Result = nil
			err = f.Job(j)
		}
		if errors.Is(err, record.ErrTooLong) {
			j.Command = j.Command[:1]
			err = f.Job(j)
		}
		return err
	}})
}

// tell tells the first failure.
func (r *recorder) tell(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	first := r.failed == nil
	if first {
		r.failed = fmt.Errorf("recording %s: %w", r.name, err)
	}
	r.mu.Unlock()
	if first {
		r.progress.Failure("%s; measuring goes on without it", sentence(r.failed))
	}
}

// longestClose bounds waiting for a disk that hangs.
const longestClose = 10 * time.Second

// closing closes the recording, and adds its failure to what failed before it, if
// anything. A disk that hangs is waited for only so long, and less when the command is
// told to end. What holds up a write would hold up closing the file, too.
func (r *recorder) closing(err *error) {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.closed = true
	r.wake.Signal()
	r.mu.Unlock()
	select {
	case <-r.written:
	case <-afterEnd(r.ctx):
		r.heldUp(err)
		return
	case <-time.After(longestClose):
		r.heldUp(err)
		return
	}
	cerr := r.file.Close()
	switch {
	case *err != nil:
	case r.failed != nil:
		*err = &toldError{r.failed}
	case cerr != nil:
		*err = fmt.Errorf("recording %s: %w", r.name, cerr)
	}
}

// heldUp says that the file did not take all, unless there is an error already.
func (r *recorder) heldUp(err *error) {
	if *err == nil {
		*err = fmt.Errorf("recording %s: %w", r.name, measure.ErrHeldUp)
	}
}

// afterEnd returns a channel that is closed when a context has ended and then
// lastTime has passed.
func afterEnd(ctx context.Context) <-chan struct{} {
	late := make(chan struct{})
	context.AfterFunc(ctx, func() { time.AfterFunc(lastTime, func() { close(late) }) })
	return late
}
