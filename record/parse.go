package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
)

// ErrFormat is matched by the errors for what is no recording.
var ErrFormat = errors.New("no recording of powerspy")

// A VersionError is a recording of a version that this program may not read. It
// matches [ErrFormat].
type VersionError struct{ Version int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("a recording of version %d, where this program reads version %d", e.Version, Version)
}

// Is lets errors.Is find ErrFormat.
func (e *VersionError) Is(target error) bool { return target == ErrFormat }

// Parse reads a line, with or without its line end, into l. known is false for a
// type of line that it does not know, which is to be skipped. A reading of more
// than a window becomes one of its length. Errors are a *[VersionError], and those
// of what is no line of a recording, which match ErrFormat.
func (l *Line) Parse(line []byte) (known bool, err error) {
	line = bytes.TrimRight(line, "\r\n")
	if len(line) > MaxLine {
		return false, fmt.Errorf("%w: %w", ErrFormat, ErrTooLong)
	}
	if w, ok := bytes.CutPrefix(line, []byte(windowStart)); ok {
		l.Kind = EventLine
		l.Event = meter.Event{Kind: meter.WindowEvent}
		if parseWindow(w, &l.Event.Window) {
			return true, nil
		}
	}
	known, err = l.parseAny(line)
	if err != nil && !errors.Is(err, ErrFormat) {
		err = fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return known, err
}

func (l *Line) parseAny(line []byte) (known bool, err error) {
	var t struct {
		Type    *string `json:"type"`
		Version int     `json:"version"`
	}
	if err := json.Unmarshal(line, &t); err != nil {
		return false, err
	}
	if t.Type == nil {
		return false, errors.New("a line without a type")
	}
	switch *t.Type {
	case "header":
		if t.Version != Version {
			return false, &VersionError{t.Version}
		}
		l.Kind = HeaderLine
		l.Header, err = parseHeader(line)
	case "reading":
		l.Kind = EventLine
		l.Event = meter.Event{Kind: meter.WindowEvent}
		err = parseReading(line, &l.Event.Window)
	case "gap":
		l.Kind = EventLine
		err = parseGap(line, &l.Event)
	case "status":
		l.Kind = EventLine
		return parseStatus(line, &l.Event)
	case "mark":
		l.Kind = MarkLine
		err = parseMark(line, &l.Mark)
	case "job":
		l.Kind = JobLine
		err = parseJob(line, &l.Job)
	default:
		return false, nil
	}
	return err == nil, err
}

// parseReading reads what parseWindow does not: another order of keys, blanks,
// keys and values of other kinds.
func parseReading(line []byte, w *meter.Window) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(line, &keys); err != nil {
		return err
	}
	*w = meter.Window{}
	var have required
	for key, value := range keys {
		if string(value) == "null" {
			continue
		}
		if err := have.set(w, []byte(key), value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return have.check(w)
}

// parseWindow reads the keys of a reading as they are usually written: flat,
// without blanks, and with no strings. ok is false for all else.
func parseWindow(b []byte, w *meter.Window) (ok bool) {
	var have required
	for {
		if len(b) == 0 || b[0] != '"' {
			return false
		}
		end := bytes.IndexByte(b[1:], '"') + 1
		if end <= 0 || len(b) < end+3 || b[end+1] != ':' {
			return false
		}
		key := b[1:end]
		b = b[end+2:]
		n := bytes.IndexAny(b, ",}")
		if n < 0 {
			return false
		}
		value := b[:n]
		if !isNumber(value) || have.set(w, key, value) != nil {
			return false
		}
		if b[n] == '}' {
			return n+1 == len(b) && have.check(w) == nil
		}
		b = b[n+1:]
	}
}

// isNumber reports whether b is a JSON number (RFC 8259, section 6).
func isNumber(b []byte) bool {
	digits := func() bool {
		n := 0
		for n < len(b) && b[n] >= '0' && b[n] <= '9' {
			n++
		}
		b = b[n:]
		return n > 0
	}
	skip := func(chars string) bool {
		found := len(b) > 0 && strings.IndexByte(chars, b[0]) >= 0
		if found {
			b = b[1:]
		}
		return found
	}
	skip("-")
	if !skip("0") && !digits() {
		return false
	}
	if skip(".") && !digits() {
		return false
	}
	if skip("eE") {
		skip("+-")
		if !digits() {
			return false
		}
	}
	return len(b) == 0
}

// required are the keys that a reading can't do without.
type required struct {
	start, end, power bool
	windows, bridged  int64
}

// set reads the value of a key.
func (r *required) set(w *meter.Window, key, value []byte) (err error) {
	switch string(key) {
	case "start_s":
		r.start = true
		w.Start, err = parseTime(value)
	case "end_s":
		r.end = true
		w.End, err = parseTime(value)
	case "length_s":
		w.Length, err = parseDuration(value)
	case "error_s":
		w.Error, err = parseDuration(value)
	case "delay_s":
		w.Delay, err = parseDuration(value)
	case "windows":
		r.windows, err = strconv.ParseInt(string(value), 10, 32)
	case "bridged":
		r.bridged, err = strconv.ParseInt(string(value), 10, 32)
	case "power_W":
		r.power = true
		w.Power, err = parseNumber(value)
	case "voltage_V":
		w.Voltage, err = parseNumber(value)
	case "current_A":
		w.Current, err = parseNumber(value)
	case "voltage_peak_V":
		w.VoltagePeak, err = parseNumber(value)
	case "current_peak_A":
		w.CurrentPeak, err = parseNumber(value)
	case "frequency_Hz":
		w.Frequency, err = parseNumber(value)
	}
	return err
}

// check fills in what follows from the rest.
func (r *required) check(w *meter.Window) error {
	switch {
	case !r.start || !r.end || !r.power:
		return errors.New("a reading without start_s, end_s or power_W")
	case w.End.Before(w.Start):
		return errors.New("a reading ends before it starts")
	case w.Length < 0 || w.Error < 0:
		return errors.New("a reading has a negative length")
	}
	if w.Length == 0 {
		w.Length = w.End.Sub(w.Start)
	}
	w.Bridged = r.windows == 0 && r.bridged > 0
	return nil
}

func parseTime(b []byte) (time.Time, error) {
	ns, err := parseNanos(b)
	return time.Unix(0, ns), err
}

func parseDuration(b []byte) (time.Duration, error) {
	ns, err := parseNanos(b)
	return time.Duration(ns), err
}

func parseNumber(b []byte) (float64, error) {
	v, err := strconv.ParseFloat(string(b), 64)
	if err == nil && (math.IsInf(v, 0) || math.IsNaN(v)) {
		err = errNumber
	}
	return v, err
}

func parseGap(line []byte, e *meter.Event) error {
	var j struct {
		Start   *Seconds `json:"start_s"`
		End     *Seconds `json:"end_s"`
		Windows *int     `json:"windows"`
		Reason  string   `json:"reason"`
	}
	if err := json.Unmarshal(line, &j); err != nil {
		return err
	}
	if j.Start == nil || j.End == nil || j.Windows != nil && *j.Windows < 0 {
		return errors.New("a gap without start_s or end_s")
	}
	g := meter.Gap{From: j.Start.Time, To: j.End.Time, Reason: j.Reason}
	if j.Windows != nil {
		g.Windows = *j.Windows
	}
	*e = meter.Event{Kind: meter.GapEvent, Gap: g}
	return nil
}

// parseStatus does not know a phase that a later version has come up with.
func parseStatus(line []byte, e *meter.Event) (known bool, err error) {
	var j struct {
		Time  *Seconds `json:"time_s"`
		Phase string   `json:"phase"`
		Kind  string   `json:"kind"`
		Text  string   `json:"text"`
	}
	if err := json.Unmarshal(line, &j); err != nil {
		return false, err
	}
	if j.Time == nil {
		return false, errors.New("a status without time_s")
	}
	for p := meter.Checking; p <= meter.Noticed; p++ {
		if p.String() != j.Phase {
			continue
		}
		s := meter.Status{Time: j.Time.Time, Phase: p, Text: j.Text}
		for kind, word := range statusKinds {
			if word == j.Kind {
				s.Kind = kind
			}
		}
		*e = meter.Event{Kind: meter.StatusEvent, Status: s}
		return true, nil
	}
	return false, nil
}

func parseMark(line []byte, m *measure.Mark) error {
	var j struct {
		Time *Seconds `json:"time_s"`
		Name string   `json:"name"`
		End  bool     `json:"end"`
	}
	if err := json.Unmarshal(line, &j); err != nil {
		return err
	}
	if j.Time == nil {
		return errors.New("a mark without time_s")
	}
	*m = measure.Mark{Time: j.Time.Time, Name: j.Name, End: j.End}
	return m.Check()
}

func parseJob(line []byte, job *Job) error {
	var j jobJSON
	if err := json.Unmarshal(line, &j); err != nil {
		return err
	}
	*job = Job{ID: j.ID, Command: j.Command, Start: j.Start.Time, Result: j.Result}
	if j.End != nil {
		job.End = j.End.Time
	}
	return nil
}
