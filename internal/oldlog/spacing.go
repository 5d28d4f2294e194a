package oldlog

import (
	"slices"
	"time"
)

// stretch is over how many rows their spacing is looked for: enough for delays
// not to matter much, few enough for pauses to be rare.
const stretch = 25

// Spacing returns the usual time from row to row, 0 for fewer than two: the
// median over many stretches. Windows that were left out make it a little longer
// than a window is.
func Spacing(rows []Row) time.Duration {
	n := min(stretch, len(rows)-1)
	if n < 1 {
		return 0
	}
	spans := make([]time.Duration, len(rows)-n)
	for i := range spans {
		spans[i] = rows[i+n].Arrival - rows[i].Arrival
	}
	slices.Sort(spans)
	return spans[len(spans)/2] / time.Duration(n)
}
