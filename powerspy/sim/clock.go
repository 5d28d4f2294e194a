package sim

import (
	"fmt"
	"time"
)

// A clock runs on through a reset: it has a battery.
type clock struct {
	set time.Time // What it was set to, in UTC...
	at  time.Time // ...and when.
}

// clockYears are the years that the clock can hold: a byte since 2000.
const firstYear, lastYear = 2000, 2255

// now returns what the clock shows.
func (c *clock) now(now time.Time) time.Time { return c.set.Add(now.Sub(c.at)) }

// Clock returns what the meter's clock shows, as a time in UTC.
func (m *Meter) Clock() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.advance(now)
	return m.clock.now(now)
}

// setClock obeys E (AL/LG/0838/003 §3.4.8): six bytes, not decimal digits.
func (m *Meter) setClock(now time.Time, h hex) string {
	var v [6]int
	for i := range v {
		v[i] = h.number(2*i, 2)
	}
	t := time.Date(firstYear+v[0], time.Month(v[1]), v[2], v[3], v[4], v[5], 0, time.UTC)
	if t.Month() != time.Month(v[1]) || t.Day() != v[2] || t.Hour() != v[3] || t.Minute() != v[4] || t.Second() != v[5] {
		return refused
	}
	m.writeLog(now) // What came before belongs to the old date.
	m.clock = clock{set: t, at: now}
	return done
}

// readClock answers G (§3.4.9), without a command letter.
func (m *Meter) readClock(now time.Time, _ hex) string {
	t := m.clock.now(now)
	year := min(max(t.Year(), firstYear), lastYear) - firstYear
	return fmt.Sprintf("%02X%02X%02X%02X%02X%02X", year, int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second())
}
