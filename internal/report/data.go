package report

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"powerspy2/internal/harmless"
	"powerspy2/measure"
	"powerspy2/meter"
)

// The data of a page: one object of JSON, from which its pictures are drawn, for
// who wants to read on. docs/report.md tells its keys, which are a contract.

type dataJSON struct {
	Type       string          `json:"type"` // dataType
	Version    int             `json:"version"`
	Made       seconds         `json:"made_s"`
	Tool       toolJSON        `json:"tool"`
	Zone       []offsetJSON    `json:"utc_offsets"`
	Recordings []recordingJSON `json:"recordings"`
	Benches    []benchJSON     `json:"benches"`
	Jobs       []jobFileJSON   `json:"jobs"`
}

const (
	dataType    = "powerspy report"
	dataVersion = 1
)

type toolJSON struct {
	Version string `json:"version"`
}

// offsetJSON is an offset of local time from UTC, from a moment on.
type offsetJSON struct {
	From   seconds `json:"from_s"`
	Offset int     `json:"offset_s"`
	Name   string  `json:"name"`
}

// seconds is a moment as UNIX seconds with six decimals.
type seconds struct{ time.Time }

func (t seconds) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	us := t.UnixMicro()
	sign := ""
	if us < 0 {
		sign, us = "-", -us
	}
	return fmt.Appendf(nil, "%s%d.%06d", sign, us/1e6, us%1e6), nil
}

type recordingJSON struct {
	Name        string        `json:"name"`
	Meter       meterJSON     `json:"meter"`
	Host        string        `json:"host,omitempty"`
	Recorder    toolJSON      `json:"recorded_by"`
	Start       seconds       `json:"start_s"`
	End         seconds       `json:"end_s"`
	Duration    float64       `json:"duration_s"`
	Energy      *float64      `json:"energy_J"`
	Uncertainty *float64      `json:"energy_uncertainty_J"`
	Parts       uncertaintyOf `json:"energy_uncertainty_parts_J"`
	Coverage    float64       `json:"coverage"`
	Windows     int           `json:"windows"`
	Bridged     int           `json:"bridged"`
	Mean        *float64      `json:"power_mean_W"`
	Min         *float64      `json:"power_min_W"`
	Max         *float64      `json:"power_max_W"`
	Baseline    *float64      `json:"baseline_W"`
	Net         *float64      `json:"net_energy_J"`
	NetError    *float64      `json:"net_energy_uncertainty_J"`
	Gaps        []gapJSON     `json:"gaps"`
	GapsCount   int           `json:"gaps_count"`
	Phases      []spanJSON    `json:"phases"`
	Totals      []totalJSON   `json:"phase_totals"`
	Jobs        []spanJSON    `json:"jobs"`
	Marks       []markJSON    `json:"marks"`
	Series      *seriesJSON   `json:"series"`
}

// uncertaintyOf are standard uncertainties by their causes.
type uncertaintyOf struct {
	Edges      float64 `json:"edges"`
	LeftOut    float64 `json:"left_out"`
	Time       float64 `json:"time"`
	Resolution float64 `json:"resolution"`
	Meter      float64 `json:"meter"`
}

type meterJSON struct {
	Name        string  `json:"name"`
	Address     *string `json:"address"`
	Serial      uint16  `json:"serial"`
	Hardware    uint8   `json:"hardware"`
	Firmware    uint8   `json:"firmware"`
	Calibration string  `json:"calibration"`
	Simulated   bool    `json:"simulated"`
}

type gapJSON struct {
	Start  seconds `json:"start_s"`
	End    seconds `json:"end_s"`
	Reason string  `json:"reason"`
}

type markJSON struct {
	Time seconds `json:"time_s"`
	Name string  `json:"name"`
}

type spanJSON struct {
	Name        string   `json:"name"`
	Start       seconds  `json:"start_s"`
	End         seconds  `json:"end_s"`
	Duration    float64  `json:"duration_s"`
	Energy      *float64 `json:"energy_J"`
	Uncertainty *float64 `json:"energy_uncertainty_J"`
	Coverage    float64  `json:"coverage"`
	Mean        *float64 `json:"power_mean_W"`
}

type totalJSON struct {
	Name        string   `json:"name"`
	Times       int      `json:"times"`
	Duration    float64  `json:"duration_s"`
	Energy      *float64 `json:"energy_J"`
	Uncertainty *float64 `json:"energy_uncertainty_J"`
	Mean        *float64 `json:"power_mean_W"`
}

// seriesJSON is power over time. A point goes from the end of the one before it, or
// where breaks has it from another moment, on for its length.
type seriesJSON struct {
	Start  seconds    `json:"start_s"`   // of the first point
	Points int        `json:"points"`    // how many
	Merged bool       `json:"merged"`    // they are more than windows: there are low and high
	Breaks [][2]int64 `json:"breaks"`    // index of a point, and its start in µs after start_s
	Length string     `json:"length_us"` // base64 of little-endian uint32
	Mean   string     `json:"mean_W"`    // base64 of little-endian float32
	Low    string     `json:"low_W,omitempty"`
	High   string     `json:"high_W,omitempty"`
}

// number returns v, or nil where there is none.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// where returns v where anything was measured.
func where(covered time.Duration, v float64) *float64 {
	if covered <= 0 {
		return nil
	}
	return number(v)
}

func (r *Recording) data() recordingJSON {
	t, u := &r.total, r.total.Uncertainty
	j := recordingJSON{
		Name: r.name, Meter: r.meterData(), Host: harmless.Text(r.header.Host), Recorder: toolJSON{harmless.Text(r.header.Tool)},
		Start: seconds{r.from}, End: seconds{r.to}, Duration: t.Duration.Seconds(),
		Energy: where(t.Covered, t.Energy), Uncertainty: where(t.Covered, u.Expanded()), Parts: uncertaintyOf(u), Coverage: r.coverage(),
		Windows: r.windows, Bridged: r.bridged, Mean: number(t.Power()), Min: number(r.low), Max: number(r.high),
		Gaps: []gapJSON{}, GapsCount: r.gapsCount, Phases: []spanJSON{}, Totals: []totalJSON{}, Jobs: []spanJSON{}, Marks: []markJSON{},
		Series: r.trace.data(),
	}
	if r.baseline != nil {
		j.Baseline, j.Net, j.NetError = number(r.baseline.Power), number(r.net), number(2*r.netError)
	}
	for _, g := range r.gaps {
		j.Gaps = append(j.Gaps, gapJSON{seconds{g.From}, seconds{g.To}, harmless.Text(g.Reason)})
	}
	for i := range r.phases {
		j.Phases = append(j.Phases, spanData(r.phases[i].Name, &r.phases[i].Span))
	}
	for _, t := range r.totals {
		j.Totals = append(j.Totals, totalJSON{
			harmless.Text(t.Name), t.Times, t.Duration.Seconds(), where(t.Covered, t.Energy), where(t.Covered, t.Uncertainty.Expanded()), number(t.Power()),
		})
	}
	for i := range r.jobs {
		j.Jobs = append(j.Jobs, spanData(r.jobs[i].command, &r.jobs[i].Span))
	}
	for _, m := range r.marks {
		j.Marks = append(j.Marks, markJSON{seconds{m.Time}, harmless.Text(m.Name)})
	}
	return j
}

func spanData(name string, s *measure.Span) spanJSON {
	return spanJSON{
		harmless.Text(name), seconds{s.From}, seconds{s.To}, s.Duration().Seconds(),
		where(s.Covered, s.Energy), where(s.Covered, s.Uncertainty.Expanded()), s.Coverage(), number(s.Power()),
	}
}

func (r *Recording) meterData() meterJSON {
	m := &r.header.Meter
	j := meterJSON{Name: harmless.Text(m.Name), Serial: m.Serial, Hardware: m.Hardware, Firmware: m.Firmware, Simulated: r.simulated}
	if m.Target().Kind == meter.Bluetooth && !m.Address.IsZero() {
		j.Address = new(m.Address.String())
	}
	if cal, _, err := m.Calibrations.InForce(); err == nil {
		j.Calibration = cal.Date.String()
	}
	return j
}

func (t *trace) data() *seriesJSON {
	n := len(t.points)
	s := &seriesJSON{Start: seconds{t.origin}, Points: n, Merged: t.merged(), Breaks: [][2]int64{}}
	length, mean := make([]byte, 0, 4*n), make([]byte, 0, 4*n)
	var low, high []byte
	float := func(b []byte, v float64) []byte {
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
	}
	var end int64 // µs
	for i := range t.points {
		p := &t.points[i]
		start := p.start.Microseconds()
		if start != end || i == 0 {
			// A point after a gap. Between others nothing is lost by rounding.
			s.Breaks = append(s.Breaks, [2]int64{int64(i), start})
		}
		end = min(max(p.end.Microseconds(), start), start+math.MaxUint32)
		length = binary.LittleEndian.AppendUint32(length, uint32(end-start))
		mean = float(mean, p.mean())
		if s.Merged {
			low, high = float(low, p.low), float(high, p.high)
		}
	}
	text := base64.StdEncoding.EncodeToString
	s.Length, s.Mean, s.Low, s.High = text(length), text(mean), text(low), text(high)
	return s
}

// encode returns JSON that stands in an element of a page: nothing in it ends the
// element or begins another, and what is invisible is escaped.
func encode(v any) ([]byte, error) {
	text, err := json.Marshal(v) // which escapes <, > and &
	if err != nil {
		return nil, err
	}
	return visible(text), nil
}

// visible escapes what is not visible in the strings of JSON.
func visible(text []byte) []byte {
	if harmless.Check(string(text)) == nil {
		return text
	}
	var b bytes.Buffer
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r < 0x80 || strconv.IsGraphic(r) {
			b.Write(text[:size])
		} else if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		text = text[size:]
	}
	return b.Bytes()
}

// offsets returns the offsets of local time from UTC between two moments.
func offsets(zone *time.Location, from, to time.Time) []offsetJSON {
	var list []offsetJSON
	for at := from; ; {
		local := at.In(zone)
		name, offset := local.Zone()
		list = append(list, offsetJSON{seconds{at}, offset, name})
		_, end := local.ZoneBounds()
		if end.IsZero() || !end.Before(to) || len(list) == mostOffsets {
			return list
		}
		at = end
	}
}

const mostOffsets = 1000
