package meter

import (
	"fmt"
	"time"
)

// A Phase is a part of the way to readings.
type Phase uint8

// Phases, in the order in which they come.
const (
	Checking Phase = iota
	Discovering
	Pairing
	Connecting
	Initialising
	Streaming
	Stalled    // readings have ended, though nobody wanted that
	Recovering // something is done about it

	// Noticed is no part of the way: something about the meter that a person
	// should know, such as a PLL that is not locked.
	Noticed
)

// String returns the phase in one word.
func (p Phase) String() string {
	switch p {
	case Checking:
		return "checking"
	case Discovering:
		return "discovering"
	case Pairing:
		return "pairing"
	case Connecting:
		return "connecting"
	case Initialising:
		return "initialising"
	case Streaming:
		return "streaming"
	case Stalled:
		return "stalled"
	case Recovering:
		return "recovering"
	case Noticed:
		return "noticed"
	}
	return fmt.Sprintf("Phase(%d)", uint8(p))
}

// A Status tells a person what is going on.
type Status struct {
	Time  time.Time  // when it began
	Phase Phase      // what kind of thing is going on
	Step  Step       // Recovering: the step that is being taken, 0 for a pause
	Kind  StatusKind // what a program may want to act on
	Text  string     // such as "looking for a PowerSpy", without a final dot

	// Set is by how much the wall clock was set forward, at a ClockStep that is told as
	// it happens.
	Set time.Duration
}

// A StatusKind is what a program may want to act on.
type StatusKind uint8

// Kinds of statuses.
const (
	Ordinary      StatusKind = iota
	ClockStep                // the wall clock was set
	ManyLeftOut              // the meter leaves out more windows than StreamConfig.MaxLeftOut
	TimesDisagree            // windows and the time that they span do not agree
	OtherWindows             // from here on windows have another number of mains periods
)
