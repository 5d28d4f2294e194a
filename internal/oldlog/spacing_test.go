package oldlog

import (
	"testing"
	"time"
)

func TestSpacing(t *testing.T) {
	const window = 20 * time.Millisecond
	late := []time.Duration{0, 9 * time.Millisecond, 3 * time.Millisecond} // what radio adds
	var rows []Row
	at := time.Duration(0)
	for i := range 300 {
		if i == 150 {
			at += time.Minute // a pause, which is no window
		}
		rows = append(rows, Row{Arrival: at + late[i%len(late)]})
		at += window
	}
	for _, tt := range []struct {
		rows        []Row
		least, most time.Duration
	}{
		{nil, 0, 0},
		{rows[:1], 0, 0},
		{rows[:2], window + late[1], window + late[1]},
		{rows, window - window/50, window + window/50},
	} {
		if got := Spacing(tt.rows); got < tt.least || got > tt.most {
			t.Errorf("%d rows: got %v, want %v to %v", len(tt.rows), got, tt.least, tt.most)
		}
	}
}
