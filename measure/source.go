package measure

import (
	"context"
	"time"

	"powerspy2/meter"
)

// A Source yields a measurement: the windows of one meter, the gaps between
// them, and what is going on. Its methods are never called concurrently.
type Source interface {
	// Next returns the next event and blocks until there is one. An error is
	// final: io.EOF itself where a measurement that was recorded ends, the error of
	// the context that the source was made with, or why the source gave up, which
	// may wrap io.EOF. What it held back comes before the error.
	Next() (meter.Event, error)

	// Stop ends the measurement at its origin: a meter is told to stop. It works
	// after the source's own context ended; ctx bounds it.
	Stop(ctx context.Context) error

	// Close gives back what the source holds. It does not stop the meter first.
	Close() error

	// Target returns which meter it is, and Info what it says of itself.
	Target() meter.Target
	Info() meter.Info
}

// A Remote is a source of another machine, whose clock its windows have.
type Remote interface {
	Source

	// ClockError returns the standard uncertainty of that clock against the one of
	// this machine, for the windows that were yielded last.
	ClockError() time.Duration
}

var (
	_ Source = (*meter.Supervised)(nil)
	_ Source = (*meter.Replay)(nil)
)

// A Sink takes what a Source yields, one event after the other, from one
// goroutine.
type Sink interface {
	// Event takes an event, which is valid during the call. [Done] ends the
	// measurement, with all sinks content; another error ends it as failed.
	Event(e *meter.Event) error

	// End comes once, after the last event: what is unfinished is finished. It
	// does not come after an error of the sink's own.
	End() error
}
