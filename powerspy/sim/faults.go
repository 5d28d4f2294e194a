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
	LogHang bool   // After O and P the meter is deaf and mute until PowerCycle.

	Lose float64 // The fraction of answers, 0 to 1, that get lost.

	// Noise is the fraction of real-time frames, 0 to 1, that arrive
	// corrupted: cut at either end, a character lost, doubled or replaced,
	// bytes inserted, or run together with the next. It never turns one
	// well-formed frame into another, which the link's checksums would not
	// let happen either.
	Noise float64
	Chop  bool // The meter's bytes are written 1 to 7 at a time.

	// Skip is the fraction of windows, 0 to 1, for which the meter sends no
	// frame: at random, SkipRun of them in a row (1 if that is 0). Where
	// SkipEvery is set, Skip is 0, and of every so many windows the last SkipRun
	// are left out.
	Skip               float64
	SkipRun, SkipEvery int
	Cap                float64 // At most so many frames a second are sent; 0 for all.
	// Fast is by how much windows end faster than the mains allow: 1.2 is 60 a
	// second where F says 50 Hz; 0 for not at all. It takes effect with the next J.
	Fast        float64
	RefuseUnder int // J is refused for windows of fewer periods.
	SilentUnder int // J is done for windows of fewer periods, but no frames come.

	SlowConnect time.Duration // What it takes to connect.

	// Times since the connection was opened; 0 for never. They hold for every
	// connection.
	SilenceAfter time.Duration // The meter goes on but nothing arrives...
	SilenceFor   time.Duration // ...for so long; 0 for as long as the connection lasts.
	DropAfter    time.Duration // The link is closed.
	HangAfter    time.Duration // The meter neither listens nor talks until a new connection.

	// Times since the meter was made.
	Late Span // What the meter says is held back, and the last 256 frames come all at once at the end.
	Dead Span // The meter neither listens nor talks; at the end its power is cycled.
	Away Span // The connection drops, and none is to be had.

	// Battery is the mean time between faults of every kind, in random order,
	// at least 4 s; 0 for none. Each ends by itself within 10 s, a hang also
	// when the client connects again. The first so much has none.
	Battery time.Duration
}

// maxTime bounds the times of faults: ten years.
const maxTime = 10 * 365 * 24 * time.Hour

func (f Faults) validate() error {
	for _, l := range []struct{ name, letters string }{
		{refuseFault, f.Refuse}, {muteFault, f.Mute}, {garbageFault, f.Garbage},
	} {
		for _, c := range l.letters {
			if !strings.ContainsRune(commandLetters, c) {
				return fmt.Errorf("%s: %q is not a command; the commands are %s", l.name, c, commandLetters)
			}
		}
	}
	if err := f.validateLoss(); err != nil {
		return err
	}
	if !(f.Noise >= 0 && f.Noise <= 1) {
		return fmt.Errorf("noise %g is not a fraction from 0 to 1", f.Noise)
	}
	if err := f.validateLeaving(); err != nil {
		return err
	}
	if min(f.SilenceAfter, f.SilenceFor, f.DropAfter, f.HangAfter) < 0 {
		return fmt.Errorf("a fault cannot begin before the connection")
	}
	if min(f.SlowConnect, f.Late.After, f.Late.For, f.Dead.After, f.Dead.For, f.Away.After, f.Away.For) < 0 {
		return fmt.Errorf("a fault cannot begin before the meter was made, or last less than nothing")
	}
	if f.Late.After > 0 && f.Late.For == 0 {
		return fmt.Errorf("what is late has to come in the end")
	}
	// A sum of two is still a time.Duration.
	if max(f.SilenceAfter, f.SilenceFor, f.DropAfter, f.HangAfter, f.SlowConnect, f.Battery,
		f.Late.After, f.Late.For, f.Dead.After, f.Dead.For, f.Away.After, f.Away.For) > maxTime {
		return fmt.Errorf("a fault in more than %v is never", maxTime)
	}
	if f.Battery != 0 && f.Battery < minBattery {
		return fmt.Errorf("battery of a fault every %v is below %v", f.Battery, minBattery)
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
	now := m.now()
	m.advance(now)
	m.beginEra(now, f)
	m.wakeLocked()
}

// Silence makes the meter's bytes get lost while the link stays up, or ends
// that. Requests are still obeyed.
func (m *Meter) Silence(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch now := m.now(); {
	case on && !m.silent:
		m.record(Incident{Fault: silenceFault, From: now}, false)
	case !on && m.silent:
		m.conclude(now, func(r record) bool { return r.Fault == silenceFault && r.To.IsZero() })
	}
	m.silent = on
	m.wakeLocked()
}

// Drop closes the connection that is open, if any.
func (m *Meter) Drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropLocked(m.now())
}

// Hang makes the meter deaf and mute until a new connection is made.
func (m *Meter) Hang() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session != nil && !m.session.hung {
		m.session.hung = true
		m.record(Incident{Fault: hangFault, From: m.now()}, true)
		m.wakeLocked()
	}
}

// HangUntilPowerCycle makes the meter deaf and mute, whatever the
// connections, until PowerCycle.
func (m *Meter) HangUntilPowerCycle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hangLocked(m.now())
}

func (m *Meter) hangLocked(now time.Time) {
	if !m.hung {
		m.hung = true
		m.record(Incident{Fault: deadFault, From: now}, false)
		m.wakeLocked()
	}
}

// PowerCycle switches the meter off and on: the connection drops, and all
// state but the EEPROM is as after New. It ends Silence and every kind of
// hanging. Faults set by SetFaults stay, but what was dead lives.
func (m *Meter) PowerCycle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.advance(now)
	m.cycled = now.Sub(m.epoch)
	m.switchOn(now)
}

// switchOn is what happens when the power comes back.
func (m *Meter) switchOn(now time.Time) {
	m.reset(now)
	m.conclude(now, func(r record) bool {
		return r.Fault == deadFault || r.Fault == silenceFault && m.silent && r.To.IsZero()
	})
	m.hung, m.silent = false, false
	m.dropLocked(now)
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
