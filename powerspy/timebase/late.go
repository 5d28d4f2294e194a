package timebase

import "math"

// A lateness watches for runs of frames that are all late, to tell what lasts
// from mere stalls: the meter has skipped windows, or the constant part of the
// delay has grown.
//
// Where a run begins is part of the question, since a frame that is late by
// jitter may come just before it. So it keeps all runs up to the last frame
// whose least delay is larger than that of any longer run.
type lateness struct {
	share float64 // of frames that are far later than the jitter explains

	runs  [16]lateRun // the longest first; least delays increase
	depth int
	n     float64 // evidence so far: frames late on their own, less part of those held up

	// As of the beginning of the longest run:
	enough   float64 // evidence to be sure: nats
	evidence float64 // of a frame, at most: nats
	jitter   float64 // seconds
}

// A lateRun is a run of late frames up to the last.
type lateRun struct {
	least float64 // delay, seconds
	since float64 // arrival of the first
	n     float64 // evidence before it
}

const (
	// firstShare is what share starts from, and leastShare what it is at
	// least: a link that was fine so far may still begin to stall.
	firstShare = 0.03
	leastShare = 0.02

	// A frame is far late from this multiple of the jitter.
	farLate = 4

	// A run is sure with so much evidence: nats. At 50 frames a second, chance
	// then makes one in weeks.
	sure = 20

	// A run that begins where frames were damaged needs less: their number is
	// uncertain, so that a skip is not unlikely.
	sureAfterLoss = 8

	// A run must last longer than any one stall: seconds.
	lateTime = 1

	// Behind a stall many frames come together, and their delay is that of the
	// stall. So many of them undo the evidence of one that came on its own. Of
	// the frames after a skip no such crowd is held up.
	crowd = 4
)

// add takes in a frame that arrived at y with such a delay, a gap after the one
// before. If frames have been late for so long that it is no stall, it returns
// the run.
func (l *lateness) add(y, delay, gap, length, jitter float64, afterLoss bool) (run lateRun, ok bool) {
	if delay < jitter/2 {
		l.depth = 0
		l.observe(0)
		return lateRun{}, false
	}
	if afterLoss && l.enough != sureAfterLoss {
		// Not if a run began at damage before: where that is frequent, no run
		// would grow old enough, and a wrong number of windows would stay.
		l.depth = 0
	}
	if l.depth == 0 {
		l.n = 0
		l.evidence, l.jitter = -math.Log(l.share), jitter
		l.enough = sure
		if afterLoss {
			l.enough = sureAfterLoss
		}
	}
	l.push(lateRun{least: delay, since: y, n: l.n})
	if gap < length/2 {
		// Held up by the one before, or of a queue that the link works off.
		l.n -= 1. / crowd
		return lateRun{}, false
	}
	l.n++
	if delay > farLate*jitter {
		l.observe(1)
	} else {
		l.observe(0)
	}
	var best float64
	for i := range l.depth {
		if e := l.weigh(i, jitter); e > best {
			run, best = l.runs[i], e
		}
	}
	run.n = l.n - run.n
	return run, best >= l.enough && y-run.since >= lateTime
}

// weigh returns by how many nats run i is likelier if its least delay is the
// new constant one than if all its frames were late by jitter and stalls.
func (l *lateness) weigh(i int, jitter float64) float64 {
	unlikely := func(delay float64) float64 { return min(delay/jitter, l.evidence) }
	var e float64
	for j := i; j < l.depth; j++ {
		// The frames from the beginning of run j to that of the next are at
		// least as late as run j, and some about so.
		n := l.n
		if j+1 < l.depth {
			n = l.runs[j+1].n
		}
		least := l.runs[j].least
		e += (n - l.runs[j].n) * (unlikely(least) - unlikely(least-l.runs[i].least))
	}
	return e
}

// push adds the run that begins with the last frame. Runs that were thought
// to be later than that frame was are as late as it.
func (l *lateness) push(r lateRun) {
	for l.depth > 0 && l.runs[l.depth-1].least >= r.least {
		l.depth--
		r.since, r.n = l.runs[l.depth].since, l.runs[l.depth].n
	}
	if l.depth == len(l.runs) {
		copy(l.runs[1:], l.runs[2:])
		l.depth--
	}
	l.runs[l.depth] = r
	l.depth++
}

func (l *lateness) observe(late float64) {
	l.share = max(l.share+(late-l.share)/200, leastShare)
}

// end ends the runs, which were no stall, so that what was learnt of stalls and
// jitter meanwhile was wrong. It returns the jitter of before.
func (l *lateness) end() (jitter float64) {
	l.depth = 0
	l.share = math.Exp(-l.evidence)
	return l.jitter
}

// shift returns by how much the delay has grown: n windows if it is about a
// whole number of them, else some time, known to about the given error.
func (r lateRun) shift(length, jitter, sigma float64) (n, delay, err float64) {
	err = jitter / r.n // mean of the least jitter of the run
	delay = r.least - err
	n = math.Round(delay / length)
	if n == 0 || math.Abs(delay-n*length) > min(length/4, 2*jitter+4*(err+sigma)) {
		return 0, delay, err
	}
	return n, 0, err
}
