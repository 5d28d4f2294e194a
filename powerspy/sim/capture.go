package sim

import (
	"math"
	"time"
)

// trigger is the condition that starts a capture (AL/LG/0838/003 §3.3.3).
type trigger struct {
	enabled    bool
	pretrigger uint8
	// Thresholds: above U, I, P; below U, I, P; above peak U, peak I; in
	// counts, power in units of 65536 counts. 0 is off.
	thresholds [8]uint16
}

// bits returns the trigger bits of the identity: the condition of each
// threshold that holds or is off, bit 7 for the first (AL/LG/0838/003 §3.3.1).
func (t *trigger) bits(now Truth, scale Calibration) uint8 {
	us, is := float64(scale.Voltage), float64(scale.Current)
	u, i, p := now.Voltage/us, now.Current/is, now.Power/(us*is)/65536
	values := [8]float64{u, i, p, u, i, p, now.VoltagePeak / us, now.CurrentPeak / is}
	var bits uint8
	for n, v := range values {
		limit := float64(t.thresholds[n])
		below := n >= 3 && n <= 5
		if limit == 0 || (below && v < limit) || (!below && v > limit) {
			bits |= 0x80 >> n
		}
	}
	return bits
}

// capture is the acquisition of a waveform.
type capture struct {
	on        bool
	length    int     // In mains periods.
	first     float64 // The first mains period that may be part of it.
	checked   float64 // Waiting: the mains periods that have been looked at.
	triggered bool
	begin     float64   // Triggered: the first mains period of the buffer...
	end       time.Time // ...and when it is full.
}

// status returns the status letter and brings a waiting capture up to now:
// the first mains period that fulfils the trigger starts it.
func (m *Meter) status(now time.Time) byte {
	if m.stream != nil {
		return 'T'
	}
	c := &m.capture
	if !c.on {
		return 'R'
	}
	for !c.triggered && m.mains.periods(m.seconds(now)) >= c.checked+1 {
		from, to := m.mains.seconds(c.checked), m.mains.seconds(c.checked+1)
		if !m.trigger.enabled || m.trigger.bits(m.electric(from, to), m.scale) == 0xff {
			c.trigger(m.trigger.pretrigger)
			c.end = m.time(m.mains.seconds(c.begin + float64(c.length)))
		}
		c.checked++
	}
	switch {
	case !c.triggered && m.trigger.enabled:
		return 'W'
	case !c.triggered || now.Before(c.end):
		return 'A'
	default:
		return 'C'
	}
}

// trigger begins with the period that has just been looked at, or so many
// periods before, as far as they have been sampled and leave room for it.
func (c *capture) trigger(before uint8) {
	c.triggered = true
	c.begin = max(c.first, c.checked-float64(min(int(before), c.length-1)))
}

// startCapture begins at the next mains zero crossing.
func (m *Meter) startCapture(now time.Time) {
	next := m.nextCrossing(now)
	m.capture = capture{on: true, length: m.length, first: next, checked: next}
}

// nextCrossing returns the mains periods until the next zero crossing.
func (m *Meter) nextCrossing(now time.Time) float64 {
	return math.Ceil(m.mains.periods(m.seconds(now)))
}

// triggerBits returns the trigger bits for the mains period that begins now.
func (m *Meter) triggerBits(now time.Time) uint8 {
	s := m.seconds(now)
	return m.trigger.bits(m.electric(s, s+1/m.cfg.Frequency), m.scale)
}
