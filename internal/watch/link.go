package watch

import (
	"time"

	"powerspy2/meter"
)

// linkTime is over how long the quality of a link is told.
const linkTime = 60

// A link gathers how good the link is, a second each.
type link struct {
	seconds          [linkTime]linkSecond
	windows, bridged int // of all time
}

type linkSecond struct {
	at               int64 // UNIX seconds
	windows, bridged int
	delay, worst     time.Duration // sum and highest
}

func (l *link) add(w *meter.Window) {
	at := w.End.Unix()
	s := &l.seconds[uint64(at)%linkTime]
	if s.at != at {
		*s = linkSecond{at: at}
	}
	if w.Bridged {
		s.bridged++
		l.bridged++
		return
	}
	s.windows++
	l.windows++
	s.delay += w.Delay
	s.worst = max(s.worst, w.Delay)
}

// A linkSum is the quality of a link during the last minute, and the share of
// windows left out of all time.
type linkSum struct {
	windows      int
	delay, worst time.Duration // mean and highest delay
	bridged      float64       // share, 0 to 1
	bridgedAll   float64
}

// sum sums up the minute before a moment.
func (l *link) sum(now time.Time) linkSum {
	var s linkSum
	bridged := 0
	for i := range l.seconds {
		if x := &l.seconds[i]; now.Unix()-x.at < linkTime {
			s.windows += x.windows
			bridged += x.bridged
			s.delay += x.delay
			s.worst = max(s.worst, x.worst)
		}
	}
	if s.windows > 0 {
		s.delay /= time.Duration(s.windows)
	}
	s.bridged = share(bridged, s.windows+bridged)
	s.bridgedAll = share(l.bridged, l.windows+l.bridged)
	return s
}

func share(part, whole int) float64 { return float64(part) / float64(max(whole, 1)) }
