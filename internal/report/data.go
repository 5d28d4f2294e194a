package report

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"time"

	"powerspy2/internal/harmless"
	"powerspy2/internal/result"
	"powerspy2/measure"
	"powerspy2/meter"
)

// The data of a page: one object of JSON, from which its pictures are drawn, for
// who wants to read on. docs/report.md tells its keys, which are a contract.

type dataJSON struct {
	Type       string          `json:"type"` // dataType
	Version    int             `json:"version"`
	Made       result.Moment   `json:"made_s"`
	Tool       result.Tool     `json:"tool"`
	Zone       []offsetJSON    `json:"utc_offsets"`
	Recordings []recordingJSON `json:"recordings"`
	Benches    []benchJSON     `json:"benches"`
	Jobs       []jobFileJSON   `json:"jobs"`
}

const (
	dataType    = "powerspy report"
	dataVersion = 1
)

// offsetJSON is an offset of local time from UTC, from a moment on.
type offsetJSON struct {
	From   result.Moment `json:"from_s"`
	Offset int           `json:"offset_s"`
	Name   string        `json:"name"`
}

type recordingJSON struct {
	Name        string         `json:"name"`
	Meter       result.Meter   `json:"meter"`
	Host        string         `json:"host,omitempty"`
	Recorder    result.Tool    `json:"recorded_by"`
	Start       result.Moment  `json:"start_s"`
	End         result.Moment  `json:"end_s"`
	Duration    float64        `json:"duration_s"`
	Energy      *float64       `json:"energy_J"`
	Uncertainty *float64       `json:"energy_uncertainty_J"`
	Parts       result.Parts   `json:"energy_uncertainty_parts_J"`
	Coverage    float64        `json:"coverage"`
	Windows     int            `json:"windows"`
	Bridged     int            `json:"bridged"`
	Mean        *float64       `json:"power_mean_W"`
	Min         *float64       `json:"power_min_W"`
	Max         *float64       `json:"power_max_W"`
	Baseline    *float64       `json:"baseline_W"`
	Net         *float64       `json:"net_energy_J"`
	NetError    *float64       `json:"net_energy_uncertainty_J"`
	Gaps        []result.Gap   `json:"gaps"`
	GapsCount   int            `json:"gaps_count"`
	Phases      []result.Span  `json:"phases"`
	Totals      []result.Total `json:"phase_totals"`
	Jobs        []result.Span  `json:"jobs"`
	Marks       []markJSON     `json:"marks"`
	Series      *seriesJSON    `json:"series"`
}

type markJSON struct {
	Time result.Moment `json:"time_s"`
	Name string        `json:"name"`
}

// seriesJSON is power over time. A point goes from the end of the one before it, or
// where breaks has it from another moment, on for its length.
type seriesJSON struct {
	Start  result.Moment `json:"start_s"`   // of the first point
	Points int           `json:"points"`    // how many
	Merged bool          `json:"merged"`    // they are more than windows: there are low and high
	Breaks [][2]int64    `json:"breaks"`    // index of a point, and its start in µs after start_s
	Length string        `json:"length_us"` // base64 of little-endian uint32
	Mean   string        `json:"mean_W"`    // base64 of little-endian float32
	Low    string        `json:"low_W,omitempty"`
	High   string        `json:"high_W,omitempty"`
}

func (r *Recording) data() recordingJSON {
	t, u := &r.total, r.total.Uncertainty
	j := recordingJSON{
		Name: r.name, Meter: r.meterData(), Host: harmless.Text(r.header.Host), Recorder: result.Tool{Version: harmless.Text(r.header.Tool)},
		Start: result.Moment(r.from), End: result.Moment(r.to), Duration: t.Duration.Seconds(),
		Energy: result.Where(t.Covered > 0, t.Energy), Uncertainty: result.Where(t.Covered > 0, u.Expanded()), Parts: result.Parts(u), Coverage: r.coverage(),
		Windows: r.windows, Bridged: r.bridged, Mean: result.Number(t.Power()), Min: result.Number(r.low), Max: result.Number(r.high),
		Gaps: []result.Gap{}, GapsCount: r.gapsCount, Phases: []result.Span{}, Totals: []result.Total{}, Jobs: []result.Span{}, Marks: []markJSON{},
		Series: r.trace.data(),
	}
	if r.baseline != nil {
		j.Baseline, j.Net, j.NetError = result.Number(r.baseline.Power), result.Number(r.net), result.Number(2*r.netError)
	}
	for _, g := range r.gaps {
		j.Gaps = append(j.Gaps, result.Gap{Start: result.Moment(g.From), End: result.Moment(g.To), Reason: harmless.Text(g.Reason)})
	}
	for i := range r.phases {
		j.Phases = append(j.Phases, spanData(r.phases[i].Name, &r.phases[i].Span))
	}
	for _, t := range r.totals {
		j.Totals = append(j.Totals, result.TotalOf(harmless.Text(t.Name), &t))
	}
	for i := range r.jobs {
		j.Jobs = append(j.Jobs, spanData(r.jobs[i].command, &r.jobs[i].Span))
	}
	for _, m := range r.marks {
		j.Marks = append(j.Marks, markJSON{result.Moment(m.Time), harmless.Text(m.Name)})
	}
	return j
}

func spanData(name string, s *measure.Span) result.Span {
	return result.SpanOf(harmless.Text(name), s)
}

func (r *Recording) meterData() result.Meter {
	m := &r.header.Meter
	j := result.Meter{Name: harmless.Text(m.Name), Serial: m.Serial, Hardware: m.Hardware, Firmware: m.Firmware, Simulated: r.simulated}
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
	s := &seriesJSON{Start: result.Moment(t.origin), Points: n, Merged: t.merged(), Breaks: [][2]int64{}}
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
	return harmless.JSON(text), nil
}

// offsets returns the offsets of local time from UTC between two moments.
func offsets(zone *time.Location, from, to time.Time) []offsetJSON {
	var list []offsetJSON
	for at := from; ; {
		local := at.In(zone)
		name, offset := local.Zone()
		list = append(list, offsetJSON{result.Moment(at), offset, name})
		_, end := local.ZoneBounds()
		if end.IsZero() || !end.Before(to) || len(list) == mostOffsets {
			return list
		}
		at = end
	}
}

const mostOffsets = 1000
