package sim

import (
	"encoding/binary"
	"time"
)

// A log is the logging to the SD card while it is on.
type log struct {
	period  int     // Mains periods between two entries.
	phase   float64 // Mains periods when it began.
	entries int     // So many have been written.
}

// Logging reports whether the meter logs to its SD card.
func (m *Meter) Logging() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(m.now())
	return m.log != nil
}

// maxEntries bounds what is written at once, about what the card holds.
const maxEntries = cardSize / 38

// writeLog brings the log up to now. The format of real logs is not known:
// here an entry is a measurement as in real-time mode, and a line end, in a
// file a day.
func (m *Meter) writeLog(now time.Time) {
	l := m.log
	if l == nil || l.period == 0 {
		return
	}
	ended := int((m.mains.periods(m.seconds(now)) - l.phase) / float64(l.period))
	l.entries = max(l.entries, ended-maxEntries)
	end := func(i int) float64 { return m.mains.seconds(l.phase + float64(i)*float64(l.period)) }
	var name string
	var text []byte
	for ; l.entries < ended; l.entries++ {
		from, to := end(l.entries), end(l.entries+1)
		if day := fileName(m.clock.now(m.time(to))); day != name {
			if name != "" {
				m.card.append(name, text, m.rnd)
			}
			name, text = day, nil
		}
		frame := appendFrame(nil, m.electric(from, to), m.scale)
		text = append(append(text, frame[1:len(frame)-1]...), "\r\n"...)
	}
	if name != "" {
		m.card.append(name, text, m.rnd)
	}
}

// setLogPeriod obeys M (AL/LG/0838/003 §3.4.10).
func (m *Meter) setLogPeriod(_ time.Time, h hex) string {
	n := h.number(0, 4)
	if n > 5000 {
		return refused
	}
	binary.LittleEndian.PutUint16(m.eeprom[addrLogPeriod:], uint16(n))
	return done
}

// startLog obeys O (§3.4.11): at the next mains zero crossing, with the period
// that is set now. A log that runs starts again.
func (m *Meter) startLog(now time.Time, _ hex) string {
	m.writeLog(now)
	m.log = &log{
		period: int(binary.LittleEndian.Uint16(m.eeprom[addrLogPeriod:])),
		phase:  m.nextCrossing(now),
	}
	return m.afterLog(now)
}

// stopLog obeys P (§3.4.12).
func (m *Meter) stopLog(now time.Time, _ hex) string {
	if m.log == nil {
		return refused
	}
	m.writeLog(now)
	m.log = nil
	return m.afterLog(now)
}

// afterLog has the meter hang, as users report, until its power is cycled, if
// that is wanted.
func (m *Meter) afterLog(now time.Time) string {
	if m.faults.LogHang {
		m.hangLocked(now)
	}
	return done
}
