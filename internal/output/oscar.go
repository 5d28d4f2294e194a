package output

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"powerspy2/measure"
)

// oscar writes the power file that KDE's OSCAR reads: a title, a header in
// German, and a row a second, with decimal commas and the local time.
//
// A file keeps the offset from UTC that its title tells, also across a change of
// daylight saving.
type oscar struct {
	lines
	number int
	zone   *time.Location // of all times in a file: OSCAR takes an hour twice for a mistake

	// The rows of a second may end a hair before or after a second of the
	// clock. Told from the clock alone, some seconds would then be there twice
	// and others not at all: rows without a gap between them count from the
	// first.
	first, label time.Time // end of the first row, and what it was given out as
	after        time.Time // label of the last row
	interrupted  bool      // something is missing since the last row
}

const (
	oscarTitle  = "powerspy, oscar 1, UTC"
	oscarHeader = "Nummer;Zeit;Wert 1-avg[W];Wert 1-min[W];Wert 1-max[W];\n"
	oscarLayout = "02.01.06, 15:04:05"
	oscarOffset = "-07:00"
)

func newOSCAR(w io.Writer, o *Options) *oscar {
	s := &oscar{interrupted: true}
	began := o.Began
	if began.IsZero() {
		began = time.Now()
	}
	name, offset := began.Zone()
	s.zone = time.FixedZone(name, offset)
	s.goOn(o.Head, o.Last)
	title := oscarTitle + began.In(s.zone).Format(oscarOffset)
	if o.Meter != "" {
		title += ", " + oneLine(o.Meter)
	}
	s.lines = newLines(w, o, []byte(title+"\n"+oscarHeader))
	return s
}

// goOn makes rows go on from those of a file.
func (s *oscar) goOn(head, last []byte) {
	if m := oscarHead.FindSubmatch(head); m != nil {
		if t, err := time.Parse(oscarOffset, string(m[1])); err == nil {
			_, offset := t.Zone()
			s.zone = time.FixedZone("", offset)
		}
	}
	columns := strings.Split(string(last), ";")
	if len(columns) < 2 {
		return
	}
	number, err := strconv.Atoi(columns[0])
	label, terr := time.ParseInLocation(oscarLayout, columns[1], s.zone)
	if err == nil && terr == nil {
		s.number, s.after = number, label
	}
}

var (
	oscarHead = regexp.MustCompile(`\A` + oscarTitle + `([+-][0-9]{2}:[0-9]{2})(, [^\n]*)?\n` + regexp.QuoteMeta(oscarHeader))
	oscarLine = regexp.MustCompile(`\A[0-9]+;[0-9]{2}\.[0-9]{2}\.[0-9]{2}, [0-9]{2}:[0-9]{2}:[0-9]{2}(;-?[0-9]+,[0-9]{3}){3};\z`)
	oscarTorn = regexp.MustCompile(`\A[0-9]*(;[0-9., :;-]*)?\z`)
)

func (*oscar) look() look {
	return look{
		detail: fmt.Sprintf("the header %q", oscarHeader[:len(oscarHeader)-1]),
		head:   oscarHead, line: oscarLine, torn: oscarTorn,
		title: oscarHeader[:len(oscarHeader)-1], start: oscarTitle,
	}
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
	b = s.second(r.End.In(s.zone)).AppendFormat(b, oscarLayout)
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
