package totals

import (
	"cmp"
	"time"
)

// A Snapshot is what is known of a meter at one moment: all of it belongs
// together.
type Snapshot struct {
	Created time.Time // when the counts below were 0

	// Energy is the sum of the energies of all windows in J, bridged ones
	// included. Counter is the highest value that it has had: where power flows
	// backwards it stands still until as much has flowed forwards again, since a
	// counter that goes back is taken for one that began anew.
	Energy, Counter float64

	Windows    uint64        // that were measured
	Bridged    uint64        // that the meter left out, and that were bridged
	Lost       time.Duration // sum of the gaps that are over
	Reconnects uint64        // times that the meter measured again after it was away

	// Delays are numbers of measured windows by how long after their end their
	// frames came: up to the bounds of [DelayBounds], and above all of them. Delayed
	// is the sum of the delays.
	Delays  [len(DelayBounds) + 1]uint64
	Delayed time.Duration

	Last time.Time // end of the last window, zero before the first one
	Up   bool      // the meter measures: it did so lately, and nothing says that it has stopped
	Mean Mean      // of the last second; only while the meter is up
}

// patience is for how long after a window the meter counts as up without another
// one: some pause for over a second now and then.
const patience = 5 * time.Second

// Snapshot returns what is known now.
func (t *Totals) Snapshot() Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Snapshot{
		Created: t.created, Energy: t.energy.value(), Counter: t.counter,
		Windows: t.windows, Bridged: t.bridged, Lost: t.lost, Reconnects: t.reconnects,
		Delays: t.delays, Delayed: t.delayed,
		Last: t.second.last(), Up: t.flows && time.Since(t.arrived) < patience+t.length,
	}
	if s.Up {
		s.Mean = t.second.mean()
	}
	return s
}

// An Identity is what a meter says of itself, or is known of it otherwise; what
// is not known is empty.
type Identity struct {
	Alias    string // the user's own name for it
	Address  string // Bluetooth address
	Serial   string // number
	Firmware string // version
	Hardware string // version
}

// A Meter is one that exporters tell of.
type Meter struct {
	Name     string // as the server calls it: no other of its meters has it
	Totals   *Totals
	Identity func() Identity // what is known by now; may be called concurrently
}

// ID returns what tells a meter from all others as well as is known: its
// address, else its name.
func (m *Meter) ID() string { return cmp.Or(m.Identity().Address, m.Name) }
