package sim

import (
	"fmt"
	"strings"
	"time"
)

// Faults is what is wrong with the meter or its link. The zero value is a
// sound meter. Letters are the letters of commands, such as "JF" or "?".
type Faults struct {
	Refuse  string // Commands answered <Z> and not done.
	Mute    string // Commands done but not answered.
	Garbage string // Commands done but answered with nonsense.

	// Noise is the fraction of real-time frames, 0 to 1, that arrive
	// corrupted: cut at either end, a character lost, doubled or replaced,
	// bytes inserted, or run together with the next. It never turns one
	// well-formed frame into another, which the link's checksums would not
	// let happen either.
	Noise float64
	Chop  bool // The meter's bytes are written 1 to 7 at a time.

	// Times since the connection was opened; 0 for never. They hold for every
	// connection.
	SilenceAfter time.Duration // The meter goes on but nothing arrives...
	SilenceFor   time.Duration // ...for so long; 0 for as long as the connection lasts.
	DropAfter    time.Duration // The link is closed.
	HangAfter    time.Duration // The meter neither listens nor talks until a new connection.
}

func (f Faults) validate() error {
	for _, l := range []struct{ name, letters string }{
		{"refuse", f.Refuse}, {"mute", f.Mute}, {"garbage", f.Garbage},
	} {
		for _, c := range l.letters {
			if !strings.ContainsRune(commandLetters, c) {
				return fmt.Errorf("%s: %q is no command; the commands are %s", l.name, c, commandLetters)
			}
		}
	}
	if !(f.Noise >= 0 && f.Noise <= 1) {
		return fmt.Errorf("noise %g is not a fraction from 0 to 1", f.Noise)
	}
	if min(f.SilenceAfter, f.SilenceFor, f.DropAfter, f.HangAfter) < 0 {
		return fmt.Errorf("a fault cannot begin before the connection")
	}
	return nil
}

// Faults returns what is wrong with the meter now.
func (m *Meter) Faults() Faults {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.faults
}

// SetFaults replaces what is wrong with the meter, also for the connection
// that is open. It panics if f is no possible set of faults.
func (m *Meter) SetFaults(f Faults) {
	if err := f.validate(); err != nil {
		panic("sim: " + err.Error())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = f
	m.wakeLocked()
}

// Silence makes the meter's bytes get lost while the link stays up, or ends
// that. Requests are still obeyed.
func (m *Meter) Silence(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silent = on
	m.wakeLocked()
}

// Drop closes the connection that is open, if any.
func (m *Meter) Drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session != nil {
		m.session.cancel(ErrDropped)
	}
}

// Hang makes the meter deaf and mute until a new connection is made.
func (m *Meter) Hang() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session != nil {
		m.session.hung = true
		m.wakeLocked()
	}
}

// HangUntilPowerCycle makes the meter deaf and mute, whatever the
// connections, until PowerCycle.
func (m *Meter) HangUntilPowerCycle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hung = true
	m.wakeLocked()
}

// PowerCycle switches the meter off and on: the connection drops, and all
// state but the EEPROM is as after New. Faults set by SetFaults stay.
func (m *Meter) PowerCycle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reset(m.now())
	m.hung, m.silent = false, false
	if m.session != nil {
		m.session.cancel(ErrDropped)
	}
}

// corrupt spoils a real-time frame, brackets included.
func (r random) corrupt(frame []byte, stream, index uint64) []byte {
	junk := r.junk(forNoise, stream, index)
	i := 1 + int(r.bits(forNoise, stream, index<<8)%uint64(len(frame)-2)) // Inside the brackets.
	out := make([]byte, 0, len(frame)+len(junk))
	switch r.bits(forNoise, stream, index<<8|1) % 8 {
	case 0: // The end is missing.
		return append(out, frame[:i]...)
	case 1: // The beginning is missing.
		return append(out, frame[i:]...)
	case 2: // A character is missing.
		return append(append(out, frame[:i]...), frame[i+1:]...)
	case 3: // A character is doubled.
		return append(append(out, frame[:i+1]...), frame[i:]...)
	case 4: // A character is another, but no digit and no bracket.
		out = append(out, frame...)
		out[i] = junk[0]
		return out
	case 5: // Bytes are inserted.
		return append(append(append(out, frame[:i]...), junk...), frame[i:]...)
	case 6: // The brackets towards the next frame are missing.
		return append(out, frame[:len(frame)-1]...)
	default: // A piece from the middle is missing.
		// What is left is too long to pass for the answer to a request.
		j := min(i+1+int(r.bits(forNoise, stream, index<<8|2)%12), len(frame)-1)
		return append(append(out, frame[:i]...), frame[j:]...)
	}
}

// junk returns 1 to 16 bytes that are no brackets, spaces or upper-case
// hexadecimal digits.
func (r random) junk(p purpose, n, m uint64) []byte {
	const letters = "ghijklmnopqrstuvwxyz#!%&\x00\x07\x7f\x80\xa5\xc3\xff"
	x := r.bits(p, n, m<<8|0xff)
	b := make([]byte, 1+x%16)
	for i := range b {
		x = mix(x)
		b[i] = letters[x%uint64(len(letters))]
	}
	return b
}
