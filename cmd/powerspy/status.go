package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/config"
	"powerspy2/internal/output"
	"powerspy2/meter"
)

// exitStatus maps an error to the exit status of the command.
func exitStatus(err error) int {
	var usage *cli.UsageError
	var gaps *gapsError
	var badConfig *config.Error
	var other *output.ShapeError
	var job *jobExit
	switch {
	case errors.As(err, &job):
		return job.status
	case errors.As(err, &usage) && usage.Help == jobHelp:
		return ownFailure
	case err == nil, nobodyReads(err):
		return 0
	case errors.As(err, &usage), errors.Is(err, meter.ErrUsage), errors.As(err, &other):
		return 2
	case errors.As(err, &badConfig):
		return 4
	case errors.Is(err, meter.ErrNotFound):
		return 3
	case errors.Is(err, meter.ErrNotReady):
		return 4
	case errors.Is(err, meter.ErrPairing):
		return 5
	case errors.Is(err, meter.ErrNoAnswer):
		return 6
	case errors.As(err, &gaps):
		return 7
	}
	return 1
}

// message is what a person is told about err: a sentence, or nothing.
func message(err error) string {
	var gaps *gapsError
	var told *toldError
	var job *jobExit
	switch {
	case errors.As(err, &job) && job.err == nil:
		return ""
	case errors.As(err, &job) && errors.Is(err, context.Canceled):
		return "interrupted: the command was not started"
	case err == nil, nobodyReads(err), errors.As(err, &told), errors.As(err, &gaps) && gaps.silent:
		return ""
	case errors.Is(err, context.Canceled):
		return "interrupted"
	}
	return sentence(err)
}

// nobodyReads reports whether standard output was closed at the other end, as
// `| head -1` does. That is a way of saying enough.
func nobodyReads(err error) bool {
	var out *stdoutError
	return errors.As(err, &out) && errors.Is(err, syscall.EPIPE)
}

// stdoutError is a failure to write to standard output.
type stdoutError struct{ err error }

func (e *stdoutError) Error() string { return fmt.Sprintf("standard output: %v", cause(e.err)) }
func (e *stdoutError) Unwrap() error { return e.err }

// toldError is a failure that the command's output has told already.
type toldError struct{ err error }

func (e *toldError) Error() string { return e.err.Error() }
func (e *toldError) Unwrap() error { return e.err }

// gapsError says that readings are missing.
type gapsError struct {
	count  int
	total  time.Duration
	silent bool // it is not to be told, only to be the exit status
}

func (e *gapsError) Error() string {
	if e.count == 1 {
		return fmt.Sprintf("finished, but with a gap: %v was not measured", e.total.Round(time.Millisecond))
	}
	return fmt.Sprintf("finished, but with %d gaps: %v was not measured", e.count, e.total.Round(time.Millisecond))
}

// cause drops the operation and the file name that package os puts in front of
// an error, where a sentence of our own says them.
func cause(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return err
}
