// Package result is what the results of run, of benches and of reports have in common
// as JSON. Its keys are a contract.
package result

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"powerspy2/measure"
)

// A Meter says which meter it was.
type Meter struct {
	Name        string  `json:"name"`
	Address     *string `json:"address"` // nil: it was not reached by Bluetooth
	Serial      uint16  `json:"serial"`
	Hardware    uint8   `json:"hardware"`
	Firmware    uint8   `json:"firmware"`
	Calibration string  `json:"calibration"` // its date, ISO 8601
	Simulated   bool    `json:"simulated"`
}

// MeterOf returns what is known of the meter of a source.
func MeterOf(src measure.Source) *Meter {
	t, info := src.Target(), src.Info()
	m := &Meter{
		Name: t.Label(), Serial: info.Identity.Serial, Hardware: info.Identity.Hardware, Firmware: info.Identity.Firmware,
		Simulated: t.IsSimulated(),
	}
	if !t.Address.IsZero() {
		m.Address = new(t.Address.String())
	}
	if cal, _, err := info.Calibrations.InForce(); err == nil {
		m.Calibration = cal.Date.String()
	}
	return m
}

// Same reports whether it is the same meter with the same calibration.
func (m *Meter) Same(n *Meter) bool {
	return m.Serial == n.Serial && m.Hardware == n.Hardware && m.Calibration == n.Calibration && m.Simulated == n.Simulated
}

// A Tool is the program that made a result.
type Tool struct {
	Version string `json:"version"`
}

// Parts are standard uncertainties of an energy in J, by their causes.
type Parts struct {
	Edges      float64 `json:"edges"`
	LeftOut    float64 `json:"left_out"`
	Time       float64 `json:"time"`
	Resolution float64 `json:"resolution"`
	Meter      float64 `json:"meter"`
}

// A Gap is a time that was not measured.
type Gap struct {
	Start  Moment `json:"start_s"`
	End    Moment `json:"end_s"`
	Reason string `json:"reason"`
}

// A Span is a time with a name, such as a phase. What is nil was not measured.
type Span struct {
	Name        string   `json:"name"`
	Start       Moment   `json:"start_s"`
	End         Moment   `json:"end_s"`
	Duration    float64  `json:"duration_s"`
	Energy      *float64 `json:"energy_J"`
	Uncertainty *float64 `json:"energy_uncertainty_J"` // for a level of confidence of 95 %
	Coverage    float64  `json:"coverage"`             // 0 to 1
	PowerMean   *float64 `json:"power_mean_W"`
}

// SpanOf returns a span under a name.
func SpanOf(name string, s *measure.Span) Span {
	measured := s.Covered > 0 || s.Duration() == 0 // no time takes no energy
	return Span{
		name, Moment(s.From), Moment(s.To), s.Duration().Seconds(),
		Where(measured, s.Energy), Where(measured, s.Uncertainty.Expanded()), s.Coverage(), Number(s.Power()),
	}
}

// A Total sums up the phases of a name.
type Total struct {
	Name        string   `json:"name"`
	Times       int      `json:"times"`
	Duration    float64  `json:"duration_s"`
	Energy      *float64 `json:"energy_J"`
	Uncertainty *float64 `json:"energy_uncertainty_J"`
	PowerMean   *float64 `json:"power_mean_W"`
}

// TotalOf returns a total under a name.
func TotalOf(name string, t *measure.PhaseTotal) Total {
	measured := t.Covered > 0 || t.Duration == 0
	return Total{
		name, t.Times, t.Duration.Seconds(),
		Where(measured, t.Energy), Where(measured, t.Uncertainty.Expanded()), Number(t.Power()),
	}
}

// A Moment is UNIX seconds with six decimals; null, the zero Time, is none.
type Moment time.Time

// String returns it as JSON has it.
func (m Moment) String() string {
	us, sign := time.Time(m).UnixMicro(), ""
	if us < 0 {
		sign, us = "-", -us
	}
	return fmt.Sprintf("%s%d.%06d", sign, us/1e6, us%1e6)
}

// MarshalJSON implements json.Marshaler.
func (m Moment) MarshalJSON() ([]byte, error) {
	if time.Time(m).IsZero() {
		return []byte("null"), nil
	}
	return []byte(m.String()), nil
}

// farthest is how far from 1970 a moment may be, in s: more than 3000 years.
const farthest = 1e11

// UnmarshalJSON implements json.Unmarshaler: any number of seconds, or null.
func (m *Moment) UnmarshalJSON(text []byte) error {
	var v *float64
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	switch {
	case v == nil:
		*m = Moment{}
	case !(math.Abs(*v) < farthest):
		return fmt.Errorf("%s is no UNIX time", strconv.FormatFloat(*v, 'g', -1, 64))
	default:
		*m = Moment(time.UnixMicro(int64(math.Round(*v * 1e6))))
	}
	return nil
}

// Write writes a result as JSON, in lines that people can read, too.
func Write(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // no browser reads it
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// Number returns v, or nil, which is null, for what JSON has no number for.
func Number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// Where returns v, or nil where it was not measured.
func Where(measured bool, v float64) *float64 {
	if !measured {
		return nil
	}
	return Number(v)
}
