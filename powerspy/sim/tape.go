package sim

import (
	"math"
	"slices"
	"sort"

	"powerspy2/internal/oldlog"
)

// A tape is a recording made ready to be played by a meter: every row has its
// place among the windows of which some were left out.
type tape struct {
	samples []recorded
	periods int     // Mains periods in a window of the recording.
	length  float64 // Seconds, of a window.
	repeat  bool
	mean    float64 // W, of the whole.
}

// A recorded is a sample of a tape: a window whose frame arrived. Times are in seconds since the
// first frame arrived.
type recorded struct {
	window       int // From 0.
	arrive, end  float64
	voltage2     float64 // V², mean.
	current2     float64 // A², mean.
	power        float64 // W, mean.
	vPeak, iPeak float64
}

// newTape makes a recording ready for the meter of cfg.
func newTape(r *Recording, cfg *Config) *tape {
	t := &tape{repeat: cfg.Repeat}
	t.periods = max(1, int(math.Round(oldlog.Spacing(r.rows).Seconds()*cfg.Frequency)))
	t.length = float64(t.periods) / cfg.Frequency
	first := r.rows[0].Arrival
	for _, row := range r.rows {
		s := recorded{
			arrive:   (row.Arrival - first).Seconds(),
			voltage2: row.Voltage * row.Voltage,
			current2: row.Current * row.Current,
			power:    row.Power,
			vPeak:    row.VoltagePeak,
			iPeak:    row.CurrentPeak,
		}
		if r.powerOnly {
			s.suppose(cfg)
		}
		t.samples = append(t.samples, s)
		t.mean += row.Power / float64(len(r.rows))
	}
	if !t.annotated(r.rows) {
		t.place()
	}
	t.order()
	return t
}

// suppose fills in what a log of power alone does not tell.
func (s *recorded) suppose(cfg *Config) {
	i := s.power / (cfg.Voltage * cfg.PF)
	s.voltage2, s.current2 = cfg.Voltage*cfg.Voltage, i*i
	s.vPeak, s.iPeak = cfg.Voltage*math.Sqrt2, math.Abs(i)*math.Sqrt2
}

// annotated puts samples where the log says that they belong, if it does.
// Rows before the first with a place come right before it; others without one
// are dropped.
func (t *tape) annotated(rows []oldlog.Row) bool {
	lead := slices.IndexFunc(rows, func(r oldlog.Row) bool { return r.Placed })
	if lead < 0 {
		return false
	}
	first := rows[0].Arrival
	begin := rows[lead]
	kept := t.samples[:0]
	for i, row := range rows {
		s := t.samples[i]
		switch {
		case i < lead:
			s.window = i
			s.end = (begin.End - first).Seconds() - float64(lead-i)*t.length
		case row.Placed:
			s.window = lead + row.Window - begin.Window
			s.end = (row.End - first).Seconds()
		default:
			continue
		}
		kept = append(kept, s)
	}
	// Ends are known but for a constant: no frame comes before its window ends.
	early := math.Inf(1)
	for _, s := range kept {
		early = min(early, s.arrive-s.end)
	}
	const slack = 0.5e-3 // Of the inference: rows by which the others are not moved.
	if early < -slack {
		for i := range kept {
			kept[i].end += early
		}
	}
	t.samples = kept
	return true
}

// ahead is how many rows say whether a window was left out before them.
const ahead = 25

// place finds out which windows were left out. Frames come late, never early,
// so the earliest of any twenty-five in a row comes at once, or nearly so: how
// far it is behind a grid of windows follows the mains slowly, and makes a step
// of a window where one was left out.
func (t *tape) place() {
	behind := make([]float64, len(t.samples)) // A grid without gaps.
	for i, s := range t.samples {
		behind[i] = s.arrive - float64(i)*t.length
	}
	level := slices.Min(behind[:min(ahead, len(behind))])
	left := 0
	for i := range t.samples {
		following := behind[i:min(i+ahead, len(behind))]
		lowest := slices.Min(following) - float64(left)*t.length
		if n := int(math.Round((lowest-level)/t.length + 0.5 - step)); i > 0 && n > 0 && len(following) >= enough {
			left += n
			lowest -= float64(n) * t.length
		}
		level += min(max(0.1*(lowest-level), -t.length), creep*t.length)
		t.samples[i].window = i + left
		t.samples[i].end = level + float64(i+left)*t.length
	}
}

// What place goes by: a step is at least so much of a window; fewer rows than
// enough, as at the end, don't tell; and the mains are slower than they should
// be by no more than creep.
const (
	step   = 0.6
	enough = 12
	creep  = 0.005
)

// order sees to it that windows end one after the other, and before their
// frames arrive.
func (t *tape) order() {
	kept := t.samples[:1]
	kept[0].end = min(kept[0].end, kept[0].arrive)
	for _, s := range t.samples[1:] {
		last := kept[len(kept)-1]
		s.end = min(s.end, s.arrive)
		if s.window <= last.window {
			continue
		}
		s.end = max(s.end, last.end+1e-6)
		s.arrive = max(s.arrive, s.end)
		kept = append(kept, s)
	}
	t.samples = kept
}

// last is the number of the last window.
func (t *tape) last() int { return t.samples[len(t.samples)-1].window }

// spot is a window in the recording: which, and how much later than there.
type spot struct {
	window int
	later  float64
}

// find says where window w of a stream is in the recording; ok is false when
// that is over. What is repeated begins with the second window, since a meter
// sends the first only after J.
func (t *tape) find(w int) (s spot, ok bool) {
	last := t.last()
	if w <= last {
		return spot{w, 0}, true
	}
	if !t.repeat || last == 0 {
		return spot{}, false
	}
	n := w - last - 1
	round := t.samples[len(t.samples)-1].end - t.samples[0].end
	return spot{1 + n%last, float64(1+n/last) * round}, true
}

// index returns the first sample that is not before a window of the recording.
func (t *tape) index(window int) int {
	return sort.Search(len(t.samples), func(i int) bool { return t.samples[i].window >= window })
}

// end says when window w ends; w -1 ends a window before the first.
func (t *tape) end(w int) float64 {
	if w < 0 {
		return t.samples[0].end - t.length
	}
	at, ok := t.find(w)
	if !ok {
		return math.Inf(1)
	}
	i := t.index(at.window)
	next := t.samples[i]
	if next.window == at.window {
		return next.end + at.later
	}
	before := t.samples[i-1]
	part := float64(at.window-before.window) / float64(next.window-before.window)
	return before.end + part*(next.end-before.end) + at.later
}

// ended says how many windows have ended by x, about.
func (t *tape) ended(x float64) int {
	last := t.samples[len(t.samples)-1]
	rounds := 0
	if round := last.end - t.samples[0].end; t.repeat && x > last.end && round > 0 {
		n := math.Ceil((x - last.end) / round)
		rounds, x = int(n)*last.window, x-n*round
	}
	i := sort.Search(len(t.samples), func(i int) bool { return t.samples[i].end > x })
	switch i {
	case 0:
		return rounds
	case len(t.samples):
		return rounds + last.window + 1
	}
	before, next := t.samples[i-1], t.samples[i]
	part := (x - before.end) / (next.end - before.end)
	return rounds + before.window + 1 + int(part*float64(next.window-before.window))
}

// at returns window w, which there is, and whether its frame
// arrived. One that was left out is filled in by its neighbours: the mean of
// what they measured, as late as the one before, but not later than the next.
func (t *tape) at(w int) (s recorded, arrived bool) {
	at, _ := t.find(w)
	i := t.index(at.window)
	s = t.samples[i]
	if arrived = s.window == at.window; !arrived {
		before := t.samples[i-1]
		if i == 1 {
			before = s // The first is not a measurement.
		}
		s.voltage2 = (s.voltage2 + before.voltage2) / 2
		s.current2 = (s.current2 + before.current2) / 2
		s.power = (s.power + before.power) / 2
		s.vPeak, s.iPeak = (s.vPeak+before.vPeak)/2, (s.iPeak+before.iPeak)/2
		end := t.end(at.window)
		s.arrive = min(end+t.samples[i-1].arrive-t.samples[i-1].end, s.arrive)
		s.end = end
	}
	s.arrive += at.later
	s.end += at.later
	return s, arrived
}

// factor tells by how much the first frame of the recording is too large, and
// the whole number that is, if the second shows it.
func (t *tape) factor() (k int, factor float64) {
	if len(t.samples) < 2 || t.samples[1].voltage2 == 0 {
		return 0, 1
	}
	ratio := t.samples[0].voltage2 / t.samples[1].voltage2
	k = int(math.Round(ratio))
	if k < 2 || k > block || math.Abs(ratio-float64(k)) > 0.03*ratio {
		return 0, 1
	}
	return k, ratio
}
