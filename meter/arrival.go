package meter

import (
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/timebase"
)

// An Arrival is a frame as it came, with its place in time: what figures about
// a link and a meter's habits are made of.
type Arrival struct {
	powerspy.Frame               // raw counts
	Time           time.Time     // when it arrived, with a monotonic reading
	Sent           time.Duration // from the answer to the request J to Time

	// First: no frame came before it since the request J. It is no measurement;
	// see powerspy.RealtimeFrame.
	First bool

	// Damaged is how many frames came damaged between the one before and this
	// one. Their windows are among Window.LeftOut where that is known.
	Damaged int

	// Window is its place in time, as the stream yields it unless it is surplus:
	// with StreamConfig.Live as it was known at once.
	Window timebase.Window
}

// observe reports a frame that has been placed.
func (p *placer) observe(w *timebase.Window, f *frame) {
	if p.arrivals == nil {
		return
	}
	at := w.End.Add(w.Delay)
	p.arrivals(&Arrival{
		Frame: f.counts, Time: at, Sent: at.Sub(p.acknowledged), First: f.first, Damaged: f.damaged, Window: *w,
	})
}
