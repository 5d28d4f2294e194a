package parquet

import (
	"bytes"
	"io"
	"math"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"powerspy2/measure"
)

// A table has a row for each reading, in more than one row group, with the units
// in the names of its columns, and types that programs know.
func TestWriter(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b, map[string]string{"powerspy": "x"})
	began := time.Unix(1772600707, 890123456)
	const n = rowGroup + 3
	for i := range n {
		g := measure.Reading{
			Start: began.Add(time.Duration(i) * time.Second), End: began.Add(time.Duration(i+1) * time.Second), Length: time.Second,
			Windows: 49, Bridged: 1, Partial: i == n-1, Power: float64(i), PowerMin: -1, PowerMax: 2e6, Energy: float64(i),
			Voltage: 230, Current: float64(i), VoltagePeak: 325, CurrentPeak: 1, Frequency: 50, Delay: time.Millisecond,
		}
		if err := w.Event(&measure.Event{Kind: measure.ReadingEvent, Reading: g}); err != nil {
			t.Fatal(err)
		}
		if err := w.Event(&measure.Event{Kind: measure.GapEvent}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := f.Lookup("powerspy"); v != "x" || !ok || len(f.RowGroups()) != 2 || f.NumRows() != n {
		t.Errorf("%q, %d row groups, %d rows", v, len(f.RowGroups()), f.NumRows())
	}
	const schema = `message row {
	required int64 start (TIMESTAMP(isAdjustedToUTC=true,unit=NANOS));
	required int64 end (TIMESTAMP(isAdjustedToUTC=true,unit=NANOS));
	required double length_s;
	required int32 windows (INT(32,true));
	required int32 bridged (INT(32,true));
	required boolean partial;
	required double power_W;
	required double power_min_W;
	required double power_max_W;
	required double voltage_V;
	required double current_A;
	required double voltage_peak_V;
	required double current_peak_A;
	required double apparent_power_VA;
	optional double power_factor;
	required double energy_J;
	required double total_J;
	required double frequency_Hz;
	required double delay_s;
}`
	if got := f.Schema().String(); got != schema {
		t.Errorf("the schema is %s", got)
	}
	r := parquet.NewGenericReader[row](f)
	defer r.Close()
	rows := make([]row, n)
	got := 0
	for got < n {
		k, err := r.Read(rows[got:])
		got += k
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	total := 0.
	for i := range rows[:got] {
		r := &rows[i]
		total += float64(i)
		if r.Start != began.UnixNano()+int64(i)*1e9 || r.Power != float64(i) || r.Total != total || r.Partial != (i == n-1) {
			t.Fatalf("row %d: %+v", i, r)
		}
		if (r.PowerFactor == nil) != (i == 0) || i > 0 && math.Abs(*r.PowerFactor-1./230) > 1e-12 {
			t.Fatalf("row %d: %v", i, r.PowerFactor)
		}
	}
	if got != n {
		t.Errorf("%d rows", got)
	}
}
