package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
)

// A Kind says which field of a Line is set.
type Kind uint8

// Kinds of lines.
const (
	HeaderLine Kind = iota + 1
	EventLine       // a window, a gap or a status
	MarkLine
	JobLine
)

// A Line is a line of a recording.
type Line struct {
	Kind   Kind         // which of the others is set
	Header Header       // HeaderLine
	Event  meter.Event  // EventLine
	Mark   measure.Mark // MarkLine
	Job    Job          // JobLine
}

// A Job is the start of a job, or its end. Its start and end have the same ID.
type Job struct {
	ID      string          // tells it from other jobs; may be empty
	Command []string        // and its arguments
	Start   time.Time       // when it began
	End     time.Time       // when it ended; zero: it has begun
	Result  json.RawMessage // what is reported of it: an object; nil: nothing yet
}

// MaxLine bounds a line, in bytes with its line end.
const MaxLine = 64 << 10

// ErrTooLong is a line of more than [MaxLine] bytes.
var ErrTooLong = fmt.Errorf("a line is longer than %d bytes", MaxLine)

// errNumber is a value that no meter measures.
var errNumber = errors.New("a value is not a number")

// Append appends the line with its line end. Times are written to the nanosecond,
// values with as many digits as tell them from all others, so that they read back
// as they were. Errors, with b as it was: [ErrTooLong], [measure.ErrName], a value
// that is no number, and a Job whose Result is no JSON. A window makes no garbage.
func (l *Line) Append(b []byte) ([]byte, error) {
	start := len(b)
	var err error
	switch l.Kind {
	case HeaderLine:
		b, err = l.Header.append(b)
	case EventLine:
		b, err = appendEvent(b, &l.Event)
	case MarkLine:
		b, err = appendMark(b, &l.Mark)
	case JobLine:
		b, err = appendJob(b, &l.Job)
	default:
		err = fmt.Errorf("no kind of line: %d", l.Kind)
	}
	b = append(b, '\n')
	if err == nil && len(b)-start > MaxLine {
		err = ErrTooLong
	}
	if err != nil {
		return b[:start], err
	}
	return b, nil
}

func appendEvent(b []byte, e *meter.Event) ([]byte, error) {
	switch e.Kind {
	case meter.WindowEvent:
		return appendWindow(b, &e.Window)
	case meter.GapEvent:
		g := &e.Gap
		b = appendTime(append(b, `{"type":"gap","start_s":`...), g.From)
		b = appendTime(append(b, `,"end_s":`...), g.To)
		b = appendNanos(append(b, `,"length_s":`...), int64(g.To.Sub(g.From)))
		b = append(b, `,"windows":`...)
		if g.Windows > 0 {
			b = strconv.AppendInt(b, int64(g.Windows), 10)
		} else {
			b = append(b, "null"...)
		}
		b = appendText(append(b, `,"reason":`...), g.Reason)
		return append(b, '}'), nil
	case meter.StatusEvent:
		s := &e.Status
		b = appendTime(append(b, `{"type":"status","time_s":`...), s.Time)
		b = appendText(append(b, `,"phase":`...), s.Phase.String())
		if s.Kind != meter.Ordinary {
			b = appendText(append(b, `,"kind":`...), statusKinds[s.Kind])
		}
		b = appendText(append(b, `,"text":`...), s.Text)
		return append(b, '}'), nil
	}
	return b, fmt.Errorf("no kind of event: %v", e.Kind)
}

var statusKinds = map[meter.StatusKind]string{
	meter.ClockStep: "clock-step", meter.ManyLeftOut: "many-left-out",
	meter.TimesDisagree: "times-disagree", meter.OtherWindows: "other-windows",
}

// appendWindow leaves out what follows from the rest: of one window the lowest and
// the highest power are its power.
func appendWindow(b []byte, w *meter.Window) ([]byte, error) {
	b = appendTime(append(b, `{"type":"reading","start_s":`...), w.Start)
	b = appendTime(append(b, `,"end_s":`...), w.End)
	b = appendNanos(append(b, `,"length_s":`...), int64(w.Length))
	b = appendNanos(append(b, `,"error_s":`...), int64(w.Error))
	if w.Bridged {
		b = append(b, `,"windows":0,"bridged":1`...)
	} else {
		b = append(b, `,"windows":1,"bridged":0`...)
	}
	ok := true
	number := func(v float64) { ok = ok && !math.IsNaN(v) && !math.IsInf(v, 0); b = appendNumber(b, v) }
	b = append(b, `,"power_W":`...)
	number(w.Power)
	b = append(b, `,"voltage_V":`...)
	number(w.Voltage)
	b = append(b, `,"current_A":`...)
	number(w.Current)
	b = append(b, `,"voltage_peak_V":`...)
	number(w.VoltagePeak)
	b = append(b, `,"current_peak_A":`...)
	number(w.CurrentPeak)
	b = append(b, `,"frequency_Hz":`...)
	number(w.Frequency)
	b = appendNanos(append(b, `,"delay_s":`...), int64(w.Delay))
	if !ok {
		return b, errNumber
	}
	return append(b, '}'), nil
}

func appendMark(b []byte, m *measure.Mark) ([]byte, error) {
	if err := m.Check(); err != nil {
		return b, err
	}
	b = appendTime(append(b, `{"type":"mark","time_s":`...), m.Time)
	b = appendText(append(b, `,"name":`...), m.Name)
	if m.End {
		b = append(b, `,"end":true`...)
	}
	return append(b, '}'), nil
}

// jobJSON is a job as it is written.
type jobJSON struct {
	Type    string          `json:"type"`
	ID      string          `json:"id,omitempty"`
	Command []string        `json:"command"`
	Start   Seconds         `json:"start_s"`
	End     *Seconds        `json:"end_s,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
}

func appendJob(b []byte, job *Job) ([]byte, error) {
	j := jobJSON{Type: "job", ID: job.ID, Command: job.Command, Start: Seconds{job.Start}, Result: job.Result}
	if !job.End.IsZero() {
		j.End = &Seconds{job.End}
	}
	text, err := json.Marshal(&j)
	return append(b, text...), err
}

// appendNumber writes the shortest decimals that read back as v.
func appendNumber(b []byte, v float64) []byte { return strconv.AppendFloat(b, v, 'g', -1, 64) }

// appendText writes a string of JSON.
func appendText(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return append(b, `""`...) // no string fails
	}
	return append(b, text...)
}
