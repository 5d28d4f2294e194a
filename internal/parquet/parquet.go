// Package parquet writes readings as a table of Apache Parquet, for pandas, Polars,
// DuckDB, R and the like.
package parquet

import (
	"io"
	"math"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"powerspy2/measure"
)

// A row is a reading. The columns are those of `--format csv`, with their units.
type row struct {
	Start         int64    `parquet:"start,timestamp(nanosecond)"`
	End           int64    `parquet:"end,timestamp(nanosecond)"`
	Length        float64  `parquet:"length_s"`
	Windows       int32    `parquet:"windows"`
	Bridged       int32    `parquet:"bridged"`
	Partial       bool     `parquet:"partial"`
	Power         float64  `parquet:"power_W"`
	PowerMin      float64  `parquet:"power_min_W"`
	PowerMax      float64  `parquet:"power_max_W"`
	Voltage       float64  `parquet:"voltage_V"`
	Current       float64  `parquet:"current_A"`
	VoltagePeak   float64  `parquet:"voltage_peak_V"`
	CurrentPeak   float64  `parquet:"current_peak_A"`
	ApparentPower float64  `parquet:"apparent_power_VA"`
	PowerFactor   *float64 `parquet:"power_factor,optional"` // null where no current flows
	Energy        float64  `parquet:"energy_J"`
	Total         float64  `parquet:"total_J"`
	Frequency     float64  `parquet:"frequency_Hz"`
	Delay         float64  `parquet:"delay_s"`
}

const (
	batch    = 512     // rows that are handed on at once
	rowGroup = 1 << 17 // rows that are in memory at most
)

// A Writer writes readings. Close has to be called.
type Writer struct {
	w       *parquet.GenericWriter[row]
	rows    []row
	factors [batch]float64
	total   float64
}

// NewWriter returns a Writer to w. Metadata are key and value of the file's own.
func NewWriter(w io.Writer, metadata map[string]string) *Writer {
	options := []parquet.WriterOption{
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault}), parquet.MaxRowsPerRowGroup(rowGroup),
		parquet.CreatedBy("powerspy", "", ""),
	}
	for key, value := range metadata {
		options = append(options, parquet.KeyValueMetadata(key, value))
	}
	return &Writer{w: parquet.NewGenericWriter[row](w, options...), rows: make([]row, 0, batch)}
}

// Event writes a row for a reading and nothing for any other event: a gap shows in
// that a reading does not start where the one before ended.
func (w *Writer) Event(e *measure.Event) error {
	if e.Kind != measure.ReadingEvent {
		return nil
	}
	g := &e.Reading
	w.total += g.Energy
	r := row{
		Start: g.Start.UnixNano(), End: g.End.UnixNano(), Length: g.Length.Seconds(),
		Windows: int32(g.Windows), Bridged: int32(g.Bridged), Partial: g.Partial,
		Power: g.Power, PowerMin: g.PowerMin, PowerMax: g.PowerMax, Voltage: g.Voltage, Current: g.Current,
		VoltagePeak: g.VoltagePeak, CurrentPeak: g.CurrentPeak, ApparentPower: g.ApparentPower(),
		Energy: g.Energy, Total: w.total, Frequency: g.Frequency, Delay: g.Delay.Seconds(),
	}
	if f := g.PowerFactor(); !math.IsNaN(f) {
		n := len(w.rows)
		w.factors[n] = f
		r.PowerFactor = &w.factors[n]
	}
	if w.rows = append(w.rows, r); len(w.rows) == batch {
		return w.flush()
	}
	return nil
}

func (w *Writer) flush() error {
	_, err := w.w.Write(w.rows)
	w.rows = w.rows[:0]
	return err
}

// Close writes what is left, and the footer. It does not close the writer
// underneath.
func (w *Writer) Close() error {
	if err := w.flush(); err != nil {
		return err
	}
	return w.w.Close()
}
