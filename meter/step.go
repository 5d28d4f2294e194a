package meter

import (
	"fmt"
	"strconv"
	"time"
)

// A Step is a way to get a meter to measure again. The steps are ordered from
// the least to the most disruptive.
type Step uint8

// The steps.
const (
	Drain          Step = iota + 1 // tell the meter to stop, over the existing link, and to start again
	Reconnect                      // a new connection
	Relink                         // end the radio link (Device1.Disconnect), then a new connection
	Rebond                         // forget the key that the meter refuses, and pair again
	ResetAdapter                   // switch the Bluetooth adapter off and on
	RestartService                 // restart the Bluetooth service
	PowerCycle                     // a command of the user's that cuts the meter's power for a moment

	firstStep = Drain
	lastStep  = PowerCycle
)

// A stepKind says what there is to know of a step.
type stepKind struct {
	name, doing string
	// limit bounds the step and the start of a stream after it. The kernel
	// pages for 5 s, and the meter has 2 s for each of some thirty answers, of
	// which it uses a thousandth.
	limit time.Duration
}

var stepKinds = [...]stepKind{
	Drain:          {"drain", "telling the meter to stop and start again", 8 * time.Second},
	Reconnect:      {"reconnect", "reconnecting", 15 * time.Second},
	Relink:         {"relink", "ending the radio link and reconnecting", 25 * time.Second},
	Rebond:         {"rebond", "removing the key that the meter refuses and pairing again", 60 * time.Second},
	ResetAdapter:   {"reset-adapter", "switching the Bluetooth adapter off and on", 30 * time.Second},
	RestartService: {"restart-service", "restarting the Bluetooth service", 60 * time.Second},
	PowerCycle:     {"power-cycle", "running the power-cycle command", 2 * time.Minute},
}

// String returns the step's name.
func (s Step) String() string {
	if s < firstStep || s > lastStep {
		return fmt.Sprintf("Step(%d)", uint8(s))
	}
	return stepKinds[s].name
}

// ParseStep finds a step by its number, 1 to 7, or its name. Errors match
// ErrUsage.
func ParseStep(text string) (Step, error) {
	for s := firstStep; s <= lastStep; s++ {
		if text == stepKinds[s].name || text == strconv.Itoa(int(s)) {
			return s, nil
		}
	}
	names := ""
	for s := firstStep; s <= lastStep; s++ {
		names += fmt.Sprintf(" %d %s", s, s)
	}
	return 0, &Error{Kind: ErrUsage, Op: fmt.Sprintf("step %q", text), Err: fmt.Errorf("not the number or the name of one of%s", names)}
}
