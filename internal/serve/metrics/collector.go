package metrics

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"powerspy2/internal/harmless"
	"powerspy2/internal/serve/totals"
)

// counters count from the moment on when a meter is served.
var counters = [...]struct {
	name, help string
	value      func(*totals.Snapshot) float64
}{
	{"energy_joules_total", "Energy, bridged windows included. Where power flows backwards it stands still until as much has flowed forwards again.",
		func(s *totals.Snapshot) float64 { return s.Counter }},
	{"samples_total", "Averaging windows that the meter measured.",
		func(s *totals.Snapshot) float64 { return float64(s.Windows) }},
	{"bridged_windows_total", "Averaging windows that the meter left out, filled with the mean of their neighbours.",
		func(s *totals.Snapshot) float64 { return float64(s.Bridged) }},
	{"gap_seconds_total", "Time that was not measured, counted when it is over.",
		func(s *totals.Snapshot) float64 { return s.Lost.Seconds() }},
	{"reconnects_total", "Times that the meter measured again after it had been away.",
		func(s *totals.Snapshot) float64 { return float64(s.Reconnects) }},
}

// gauges are of the last second, and not told while the meter is away.
var gauges = [...]struct {
	name, help string
	value      func(*totals.Mean) float64
}{
	{"power_watts", "Mean power of the last second, negative when it flows backwards.",
		func(m *totals.Mean) float64 { return m.Power }},
	{"apparent_power_voltamperes", "RMS voltage times RMS current of the last second.",
		(*totals.Mean).ApparentPower},
	{"voltage_volts", "RMS voltage of the last second.",
		func(m *totals.Mean) float64 { return m.Voltage }},
	{"current_amperes", "RMS current of the last second.",
		func(m *totals.Mean) float64 { return m.Current }},
	{"voltage_peak_volts", "Highest voltage of the last second.",
		func(m *totals.Mean) float64 { return m.VoltagePeak }},
	{"current_peak_amperes", "Highest current of the last second.",
		func(m *totals.Mean) float64 { return m.CurrentPeak }},
	{"frequency_hertz", "Mains frequency of the last second.",
		func(m *totals.Mean) float64 { return m.Frequency }},
	{"power_factor_ratio", "Power over apparent power of the last second, -1 to 1; absent when no current flows.",
		(*totals.Mean).PowerFactor},
}

// decimals is to what gauges are rounded, as in the text formats: sums of squares
// have digits that mean nothing.
const decimals = 1e6

// A collector tells of meters. The label meter is the only one of all its metrics
// but info, so that a new firmware begins no new series.
type collector struct {
	meters func() []totals.Meter

	counters              [len(counters)]*prometheus.Desc
	gauges                [len(gauges)]*prometheus.Desc
	up, last, info, delay *prometheus.Desc
}

func newCollector(meters func() []totals.Meter) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("powerspy_"+name, help, append([]string{"meter"}, labels...), nil)
	}
	c := &collector{
		meters: meters,
		up:     desc("up", "Whether the meter measures: 1, or 0 while it is away."),
		last:   desc("last_sample_timestamp_seconds", "When the last averaging window ended, UNIX time."),
		info:   desc("meter_info", "What the meter is; the value is 1.", "alias", "address", "serial", "firmware", "hardware"),
		delay:  desc("window_delay_seconds", "How long after the end of an averaging window its frame arrived."),
	}
	for i, m := range counters {
		c.counters[i] = desc(m.name, m.help)
	}
	for i, m := range gauges {
		c.gauges[i] = desc(m.name, m.help)
	}
	return c
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.counters {
		ch <- d
	}
	for _, d := range c.gauges {
		ch <- d
	}
	for _, d := range []*prometheus.Desc{c.up, c.last, c.info, c.delay} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range c.meters() {
		c.collect(ch, &m)
	}
}

func (c *collector) collect(ch chan<- prometheus.Metric, m *totals.Meter) {
	name, id, s := harmless.Text(m.Name), m.Identity(), m.Totals.Snapshot()
	for i, d := range c.counters {
		ch <- prometheus.MustNewConstMetricWithCreatedTimestamp(d, prometheus.CounterValue, counters[i].value(&s), s.Created, name)
	}
	ch <- c.delays(&s, name)
	tell := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{name}, labels...)...)
	}
	tell(c.info, 1, harmless.Text(id.Alias), id.Address, id.Serial, id.Firmware, id.Hardware)
	if !s.Last.IsZero() {
		tell(c.last, float64(s.Last.UnixNano())/float64(time.Second))
	}
	if !s.Up {
		tell(c.up, 0)
		return
	}
	tell(c.up, 1)
	for i, d := range c.gauges {
		if v := gauges[i].value(&s.Mean); !math.IsNaN(v) {
			tell(d, math.Round(v*decimals)/decimals)
		}
	}
}

func (c *collector) delays(s *totals.Snapshot, name string) prometheus.Metric {
	buckets := make(map[float64]uint64, len(totals.DelayBounds))
	var below uint64
	for i, bound := range totals.DelayBounds {
		below += s.Delays[i]
		buckets[bound] = below
	}
	return prometheus.MustNewConstHistogramWithCreatedTimestamp(c.delay, s.Windows, s.Delayed.Seconds(), buckets, s.Created, name)
}
