package sim

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// commandLetters are the letters of all commands of the protocol.
const commandLetters = "?LTRWVSCFABJQEGMOPUYX"

// maxRequest bounds what a request may hold between its brackets: the longest
// is T with 37 characters.
const maxRequest = 64

// A parser finds requests in what a client sends: what stands between < and
// >. The rest is skipped.
type parser struct {
	inside bool
	buf    []byte
}

// feed takes one byte and returns a request when it completes one. What is
// too long to be a request comes out cut, which no command accepts.
func (p *parser) feed(b byte) (request string, ok bool) {
	switch {
	case b == '<':
		p.inside, p.buf = true, p.buf[:0]
	case !p.inside:
	case b == '>':
		p.inside = false
		return string(p.buf), true
	case len(p.buf) < maxRequest:
		p.buf = append(p.buf, b)
	}
	return "", false
}

// hex is what follows the letter of a request: upper-case hexadecimal digits,
// most significant first, without spaces (AL/LG/0838/003 §3.1).
type hex string

// number returns the n-th to n+width-th digit as a number.
func (h hex) number(n, width int) int {
	var v int
	for _, c := range []byte(h[n : n+width]) {
		v <<= 4
		if c >= 'A' {
			v |= int(c-'A') + 10
		} else {
			v |= int(c - '0')
		}
	}
	return v
}

func (h hex) valid() bool {
	for _, c := range []byte(h) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// Answers without content. The empty string is not an answer at all.
const (
	done    = "K"
	refused = "Z"
	nothing = ""
)

// A command obeys the request whose digits it gets, and returns what goes
// between the brackets of the answer. The meter's mutex is held.
type command struct {
	digits func(Generation) int // How many the request has; -1 if there is no such command.
	obey   func(m *Meter, now time.Time, h hex) string
	text   bool // They need not be hexadecimal digits.
	raw    bool // What obey returns, if it is not a refusal, is all that is sent.
}

func width(n int) func(Generation) int { return func(Generation) int { return n } }

// second is width for what only the second generation has.
func second(n int) func(Generation) int {
	return func(g Generation) int {
		if g == V1 {
			return -1
		}
		return n
	}
}

// commands are those the meter knows. Any other is refused.
var commands = map[byte]command{
	'?': {digits: width(0), obey: (*Meter).identify},
	'L': {digits: width(2), obey: (*Meter).setLength},
	'T': {digits: width(36), obey: (*Meter).setTrigger},
	'R': {digits: width(0), obey: (*Meter).resetCommand},
	'W': {digits: width(4), obey: (*Meter).writeEEPROM},
	'V': {digits: width(2), obey: (*Meter).readEEPROM},
	'S': {digits: width(0), obey: (*Meter).start},
	'C': {digits: width(0), obey: (*Meter).cancel},
	'F': {digits: width(0), obey: (*Meter).frequency},
	'J': {digits: func(g Generation) int {
		if g == V1 {
			return 2
		}
		return 4
	}, obey: (*Meter).realtimeOn},
	'Q': {digits: width(0), obey: (*Meter).realtimeOff},
	'A': {digits: width(0), obey: (*Meter).readASCII},
	'B': {digits: width(0), obey: (*Meter).readBinary},
	'E': {digits: second(12), obey: (*Meter).setClock},
	'G': {digits: second(0), obey: (*Meter).readClock},
	'M': {digits: second(4), obey: (*Meter).setLogPeriod},
	'O': {digits: second(0), obey: (*Meter).startLog},
	'P': {digits: second(0), obey: (*Meter).stopLog},
	'U': {digits: second(0), obey: (*Meter).listFiles, raw: true},
	'Y': {digits: second(10), obey: (*Meter).deleteFile, text: true},
	'X': {digits: second(11), obey: (*Meter).sendBlock, text: true, raw: true},
}

// execute obeys a request and returns the answer, with brackets and line end;
// empty for none.
func (m *Meter) execute(now time.Time, request string) string {
	letter, answer, raw := byte(0), refused, false
	if request != "" {
		letter = request[0]
	}
	if c, ok := commands[letter]; ok && !m.fails(refuseFault, m.faults.Refuse, letter, now) {
		h := hex(request[1:])
		if len(h) == c.digits(m.cfg.Generation) && (c.text || h.valid()) {
			answer = c.obey(m, now, h)
			raw = c.raw && answer != refused
		}
	}
	m.answers++
	switch {
	case answer == nothing || m.fails(muteFault, m.faults.Mute, letter, now):
		return ""
	case m.fails(garbageFault, m.faults.Garbage, letter, now):
		return m.line("<" + string(m.rnd.junk(forNonsense, m.answers, 0)) + ">")
	case raw:
		return answer
	case m.cfg.Dots && has("QEMO", letter) && (answer == done || answer == refused):
		answer += "."
	}
	return m.line("<" + answer + ">")
}

// line appends what ends a line.
func (m *Meter) line(text string) string {
	if m.cfg.EOL == EOLNone {
		return text
	}
	return text + m.cfg.EOL
}

// fails reports whether a fault spoils a command: one of these letters, or any
// during a spell.
func (m *Meter) fails(fault, letters string, letter byte, now time.Time) bool {
	if has(letters, letter) {
		return true
	}
	_, suffers := m.suffers(fault, now)
	return suffers
}

func has(letters string, letter byte) bool {
	return slices.Contains([]byte(letters), letter)
}

// hardware is the usual hardware byte of the identity.
func (g Generation) hardware() uint8 {
	if g == V1 {
		return 0x02
	}
	return 0x03
}

// identify answers ? (AL/LG/0838/003 §3.3.1). The PLL of the simulated meter
// is always locked to its mains.
func (m *Meter) identify(now time.Time, _ hex) string {
	locked := 0x01
	if f := m.cfg.Field; f != nil && !f.file.Meter.PLLLocked {
		locked = 0
	}
	return fmt.Sprintf("POWERSPY%c%02X%02X%02X%02X%04X", m.status(now), locked, m.triggerBits(now),
		m.cfg.Firmware, m.cfg.hardware(), m.eeprom.serial())
}

// setLength obeys L (§3.3.2): the length of a capture, 1 to 100 periods.
func (m *Meter) setLength(_ time.Time, h hex) string {
	n := h.number(0, 2)
	if n < 1 || n > 100 {
		return refused
	}
	m.length = n
	return done
}

// setTrigger obeys T (§3.3.3).
func (m *Meter) setTrigger(_ time.Time, h hex) string {
	if h.number(0, 2) > 1 {
		return refused
	}
	m.trigger = trigger{enabled: h.number(0, 2) == 1, pretrigger: uint8(h.number(2, 2))}
	for i := range m.trigger.thresholds {
		m.trigger.thresholds[i] = uint16(h.number(4+4*i, 4))
	}
	return done
}

// resetCommand obeys R (§3.3.4). The first generation does it without an
// answer; the second does not support it.
func (m *Meter) resetCommand(now time.Time, _ hex) string {
	if m.cfg.Generation != V1 {
		return refused
	}
	m.reset(now)
	return nothing
}

// writeEEPROM obeys W (§3.3.5).
func (m *Meter) writeEEPROM(_ time.Time, h hex) string {
	m.eeprom[h.number(0, 2)] = byte(h.number(2, 2))
	return done
}

// readEEPROM answers V (§3.3.6), without a command letter.
func (m *Meter) readEEPROM(_ time.Time, h hex) string {
	return fmt.Sprintf("%02X", m.eeprom[h.number(0, 2)])
}

// start obeys S (§3.4.1). The first generation does not answer. In real-time
// mode there is no capture.
func (m *Meter) start(now time.Time, _ hex) string {
	answer := refused
	if m.stream == nil {
		m.startCapture(now)
		answer = done
	}
	if m.cfg.Generation == V1 {
		return nothing
	}
	return answer
}

// cancel obeys C (§3.4.2). Meters answer Z also when it worked.
func (m *Meter) cancel(time.Time, hex) string {
	m.capture = capture{}
	return refused
}

// frequency answers F (§3.4.3). The specification has hundredths of a hertz;
// meters send the mains period in ticks of a clock.
func (m *Meter) frequency(now time.Time, _ hex) string {
	clock := 1_382_400.0
	if m.cfg.Generation == V1 {
		clock = 1_000_000
	}
	hertz := m.mains.hertz(m.seconds(now))
	if m.cfg.Field != nil {
		if answer, ok := m.cfg.Field.mainsAnswer(m.seconds(now)); ok {
			hertz = answer
		}
	}
	return fmt.Sprintf("F%04X", int(math.RoundToEven(clock/hertz)))
}

// realtimeOn obeys J (§3.4.6). In real-time mode it starts again.
func (m *Meter) realtimeOn(now time.Time, h hex) string {
	n := h.number(0, len(h))
	if n < 1 || n < m.faults.RefuseUnder || m.cfg.Generation == V1 && n > 100 {
		return refused
	}
	if m.tape != nil && !m.tape.plays(n) || m.cfg.Field != nil && m.cfg.Field.manner(n).refused {
		return refused
	}
	m.startStream(now, n)
	return done
}

// realtimeOff obeys Q (§3.4.7). The frames of windows that have ended, but
// are still on their way, come before the answer.
func (m *Meter) realtimeOff(now time.Time, _ hex) string {
	if !m.stopStream(now) {
		return refused
	}
	return done
}
