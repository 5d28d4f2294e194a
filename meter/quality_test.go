package meter

import (
	"testing"
	"time"
)

// TestQuality: the lengths of windows and the time that they span are compared, and
// shares that are left out, over a minute and what is there of it at the end.
func TestQuality(t *testing.T) {
	const length = 20 * time.Millisecond
	for _, tt := range []struct {
		name    string
		d       time.Duration // of the stream
		step    time.Duration // between ends of windows
		every   int           // so many windows before one are left out
		kind    StatusKind
		tooMany bool
	}{
		{"as they should be", 3 * time.Minute, length, 0, Ordinary, false},
		{"two percent too long", 2 * time.Minute, length * 98 / 100, 0, TimesDisagree, false},
		{"two percent too short", 2 * time.Minute, length * 102 / 100, 0, TimesDisagree, false},
		{"two percent in a short run", 20 * time.Second, length * 102 / 100, 0, TimesDisagree, false},
		{"half a percent", 2 * time.Minute, length * 1005 / 1000, 0, Ordinary, false},
		{"too short to tell", 5 * time.Second, length * 102 / 100, 0, Ordinary, false},
		{"1 in 2", 2 * time.Minute, 2 * length, 1, ManyLeftOut, true},
		{"1 in 2 for long", 5 * time.Minute, 2 * length, 1, ManyLeftOut, true},
		{"1 in 2 that are not noticed", 2 * time.Minute, 2 * length, 0, TimesDisagree, false},
		{"1 in 2 in a short run", 25 * time.Second, 2 * length, 1, Ordinary, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := quality{limit: DefaultMaxLeftOut, switches: true}
			got, told := Ordinary, 0
			note := func(st Status, ok bool) {
				if !ok {
					return
				}
				if told++; st.Text == "" {
					t.Error("told nothing")
				}
				got = max(got, st.Kind)
			}
			begin := time.Unix(1e9, 0)
			for end := begin.Add(tt.step); end.Sub(begin) < tt.d; end = end.Add(tt.step) {
				note(q.add(&Window{Start: end.Add(-length), End: end, Length: length}, tt.every))
			}
			note(q.finish())
			if told > 1 {
				t.Errorf("told %d times", told)
			}
			if got != tt.kind || q.exceeded != tt.tooMany {
				t.Errorf("told kind %d, too many left out %t: want %d, %t", got, q.exceeded, tt.kind, tt.tooMany)
			}
		})
	}
}
