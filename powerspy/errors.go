package powerspy

import (
	"context"
	"errors"
	"fmt"
	"os"
)

var (
	// ErrLink means that the link to the meter failed. The cause is wrapped
	// beside it. The client is of no further use: every later call returns
	// the same failure.
	ErrLink = errors.New("the link to the meter failed")

	// ErrRefused means that the meter answered <Z> (§3.1).
	ErrRefused = errors.New("the meter refused")

	// ErrNotUnderstood means that the meter answered something that is no
	// answer to the request. The bytes are in the wrapped [*AnswerError].
	ErrNotUnderstood = errors.New("the meter's answer was not understood")

	// ErrNoAnswer means that the meter did not answer within Config.Timeout.
	// It also matches [os.ErrDeadlineExceeded].
	ErrNoAnswer error = &sentinel{"the meter did not answer in time", os.ErrDeadlineExceeded}

	// ErrClosed means that the client was closed. It also matches
	// [os.ErrClosed].
	ErrClosed error = &sentinel{"the client is closed", os.ErrClosed}

	// ErrStreaming means that a request was made while a [Realtime] of the
	// same client has not been stopped.
	ErrStreaming = errors.New("a real-time stream is running")

	// ErrStopped means that Next was called on a stopped [Realtime].
	ErrStopped = errors.New("the real-time stream was stopped")

	// ErrOutOfRange means that an argument is outside of what the protocol
	// can say. Nothing was sent.
	ErrOutOfRange = errors.New("out of range")

	// ErrNotSupported means that meters of this generation cannot do it. At
	// most the identity was asked for. It also matches
	// [errors.ErrUnsupported].
	ErrNotSupported error = &sentinel{"not supported by this generation of meter", errors.ErrUnsupported}

	// ErrUncalibrated means that neither calibration of the meter is usable.
	ErrUncalibrated = errors.New("the meter holds no usable calibration")
)

// A sentinel is an error that also matches another one.
type sentinel struct {
	text string
	also error
}

func (s *sentinel) Error() string { return s.text }
func (s *sentinel) Unwrap() error { return s.also }

// An Error is what the methods of [Client] and [Realtime] return.
type Error struct {
	// Op is what was being done, such as "read EEPROM 0x0e".
	Op string

	// Err says what became of it; see the package comment for the list.
	Err error
}

// Error implements error.
func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether time ran out, in the sense of net.Error.
func (e *Error) Timeout() bool {
	return errors.Is(e.Err, os.ErrDeadlineExceeded) || errors.Is(e.Err, context.DeadlineExceeded)
}

// maxAnswer bounds the bytes that an AnswerError keeps.
const maxAnswer = 64

// An AnswerError is an answer that was not understood. It matches
// [ErrNotUnderstood].
type AnswerError struct {
	// Answer is what stood between < and >, or what came where any bytes
	// may come; cut to its first 64 bytes.
	Answer []byte

	// Why says what is wrong with it; it may be empty.
	Why string
}

func newAnswerError(frame []byte, why string) *AnswerError {
	return &AnswerError{
		Answer: append([]byte(nil), frame[:min(len(frame), maxAnswer)]...),
		Why:    why,
	}
}

// Error implements error.
func (e *AnswerError) Error() string {
	if e.Why == "" {
		return fmt.Sprintf("%v: <%+q>", ErrNotUnderstood, e.Answer)
	}
	return fmt.Sprintf("%v: <%+q>: %s", ErrNotUnderstood, e.Answer, e.Why)
}

// Unwrap returns ErrNotUnderstood.
func (e *AnswerError) Unwrap() error { return ErrNotUnderstood }
