package output

import (
	"io"
	"strconv"
	"time"

	"powerspy2/measure"
)

// oscar writes the power file that KDE's OSCAR reads: a title, a header in
// German, and a row a second, with decimal commas and the local time.
type oscar struct {
	lines
	number int

	// The rows of a second may end a hair before or after a second of the
	// clock. Told from the clock alone, some seconds would then be there twice
	// and others not at all: rows without a gap between them count from the
	// first.
	first, label time.Time // end of the first row, and what it was given out as
	after        time.Time // label of the last row
	interrupted  bool      // something is missing since the last row
}

const (
	oscarHeader = "Nummer;Zeit;Wert 1-avg[W];Wert 1-min[W];Wert 1-max[W];\n"
	oscarLayout = "02.01.06, 15:04:05"
)

func newOSCAR(w io.Writer, o *Options) *oscar {
	title := "powerspy, oscar 1"
	if o.Meter != "" {
		title += ", " + oneLine(o.Meter)
	}
	return &oscar{lines: newLines(w, o, []byte(title+"\n"+oscarHeader)), interrupted: true}
}

// Event writes a row for a whole reading. Gaps, and readings that are not of a
// whole second, have none: OSCAR would count them as a second.
func (s *oscar) Event(e *measure.Event) error {
	r := &e.Reading
	switch {
	case e.Kind == measure.StatusEvent:
		return nil
	case e.Kind != measure.ReadingEvent, r.Partial, !finite(r.Power), !finite(r.PowerMin), !finite(r.PowerMax):
		s.interrupted = true
		return nil
	}
	s.number++
	b := strconv.AppendInt(s.start(), int64(s.number), 10)
	b = append(b, ';')
	b = s.second(r.End).AppendFormat(b, oscarLayout)
	for _, v := range [...]float64{r.Power, r.PowerMin, r.PowerMax} {
		b = append(b, ';')
		start := len(b)
		b = appendFixed(b, v, 3)
		for i := start; i < len(b); i++ {
			if b[i] == '.' {
				b[i] = ','
			}
		}
	}
	return s.write(append(b, ";\n"...))
}

// second returns the second that a row which ended then is given out as.
func (s *oscar) second(end time.Time) time.Time {
	if s.interrupted {
		s.interrupted = false
		s.first, s.label = end, end.Truncate(time.Second)
	}
	label := s.label.Add(end.Sub(s.first).Round(time.Second))
	if !label.After(s.after) {
		label = s.after.Add(time.Second)
	}
	s.after = label
	return label
}
