package report

import (
	"math"
	"testing"
	"time"

	"powerspy2/meter"
)

// TestTraceRounding: windows whose times went through 64-bit floats, as in a recording
// that a script wrote, have no gaps between them; a real one stays.
func TestTraceRounding(t *testing.T) {
	const (
		begin  = 1795714675.2284706 // UNIX seconds
		length = 0.02
		gapAt  = 500
	)
	moment := func(s float64) time.Time {
		whole, part := math.Modf(s)
		return time.Unix(int64(whole), int64(part*1e9))
	}
	tr := trace{most: 1 << 20}
	rounded := 0
	var last time.Time
	for i := range 1000 {
		from := begin + float64(i)*length
		if i >= gapAt {
			from += 5 * length
		}
		w := meter.Window{Start: moment(from), End: moment(from + length), Length: 20 * time.Millisecond}
		if i > 0 && i != gapAt && !w.Start.Equal(last) {
			rounded++
		}
		last = w.End
		w.Power = 60
		tr.add(&w)
	}
	if rounded < 50 {
		t.Fatalf("only %d windows are off by rounding", rounded)
	}
	if tr.breaks != 1 {
		t.Errorf("there are %d gaps, and one is real", tr.breaks)
	}
	for i := 1; i < len(tr.points); i++ {
		if meet := tr.points[i].start == tr.points[i-1].end; meet != (i != gapAt) {
			t.Fatalf("point %d begins at %v, the one before it ends at %v", i, tr.points[i].start, tr.points[i-1].end)
		}
	}
}
