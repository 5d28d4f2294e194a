package meter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/timebase"
)

// A placer puts the frames of one stream in their place in time, and fills in
// for those that are missing: frames in, events out.
type placer struct {
	filter   *timebase.Filter
	live     bool
	timeline *timeline
	held     queue[frame] // those whose windows the filter holds

	arrivals     func(*Arrival)
	acknowledged time.Time

	last    Window    // the last one that was yielded and not bridged
	begun   bool      // a window was yielded
	lastEnd time.Time // end of the last window
	quality quality
	events  queue[Event]
}

// A frame is what is kept of one until its window is placed.
type frame struct {
	powerspy.Measurement
	counts  powerspy.Frame
	first   bool // it is no measurement: see powerspy.RealtimeFrame
	damaged int  // damaged ones came before it
}

func newPlacer(cfg *StreamConfig, tc timebase.Config, t *timeline) (*placer, error) {
	if !cfg.Live {
		tc.Lag = Lag - slack
	}
	filter, err := timebase.NewFilter(tc)
	if err != nil {
		return nil, err
	}
	return &placer{
		filter: filter, live: cfg.Live, timeline: t,
		arrivals: cfg.Arrivals, acknowledged: tc.Acknowledged,
		quality: quality{limit: cfg.MaxLeftOut},
	}, nil
}

// errTooFast is a meter whose frames can't be those of its mains.
var errTooFast = errors.New("the meter sends frames faster than its mains allow")

// place takes in a frame, and queues what is known by then. It returns how late
// the frame was. The error matches errTooFast.
func (p *placer) place(arrival time.Time, f frame) (late time.Duration, err error) {
	if f.damaged > 0 {
		p.filter.Lost(f.damaged)
	}
	w := p.filter.Add(arrival)
	if p.live {
		p.yield(&w, &f)
	} else {
		p.held.push(f)
		p.settle(arrival)
	}
	if err := p.filter.Suspect(); err != nil {
		return w.Delay, fmt.Errorf("%w: %s", errTooFast, strings.TrimPrefix(err.Error(), "timebase: "))
	}
	return w.Delay, nil
}

// due returns when the oldest frame that is held is to be given out; zero: none
// is held.
func (p *placer) due() time.Time {
	if p.live {
		return time.Time{}
	}
	due := p.filter.Due()
	if !due.IsZero() {
		due = due.Add(time.Millisecond) // after it, however it is rounded
	}
	return due
}

// settle queues the windows whose place is known well enough by now.
func (p *placer) settle(now time.Time) {
	for !p.live {
		w, ok := p.filter.Settled(now)
		if !ok {
			return
		}
		f, _ := p.held.pop() // as many as the filter holds
		p.yield(&w, &f)
	}
}

// flush queues all windows that are held, by what is known of them.
func (p *placer) flush() {
	p.filter.Flush()
	p.settle(p.lastEnd) // all of them, whatever the time
	if st, ok := p.quality.finish(); ok {
		p.tell(st)
	}
}

func (p *placer) say(st Status) { p.events.push(Event{Kind: StatusEvent, Status: st}) }

// bridgeable is for how long windows that were left out in a row are bridged. A
// single one always is.
const bridgeable = 200 * time.Millisecond

// yield queues a window in its place, after what stands for those that were
// left out before it: real meters leave out 0.7 to 4.4 % of windows of one mains
// period, nearly always a single one. What was left out is gone, and the next
// frame is not longer for it. So it is filled with the mean of its measured
// neighbours, once and here, for all readings to agree.
func (p *placer) yield(w *timebase.Window, f *frame) {
	p.observe(w, f)
	switch {
	case f.first:
		// Its end is known, and nothing else.
		return
	case w.Surplus:
		// What stands in its place was given out, a gap or a bridged window.
		p.quality.surplus(w.Length)
		return
	}
	now := Window{
		Start: w.Start, End: w.End, Length: w.Length, Error: w.Error, Delay: w.Delay,
		Frequency: w.Frequency, Measurement: f.Measurement,
	}
	leftOut := w.LeftOut
	if !p.begun {
		p.begun, leftOut = true, 0
	}
	switch {
	case leftOut == 0:
	case leftOut == 1 || time.Duration(leftOut)*w.Length <= bridgeable:
		p.bridge(&now, leftOut)
	case p.lastEnd.Before(now.Start):
		reason := "the meter left data out"
		if f.damaged > 0 {
			reason = "damaged data from the meter"
		}
		p.events.push(Event{Kind: GapEvent, Gap: Gap{From: p.lastEnd, To: now.Start, Windows: leftOut, Reason: reason}})
	}
	p.events.push(Event{Kind: WindowEvent, Window: now})
	p.last, p.lastEnd = now, now.End
	if st, ok := p.quality.add(&now, leftOut); ok {
		p.tell(st)
	}
}

// tell tells something about quality, each kind once in a measurement.
func (p *placer) tell(st Status) {
	if !slices.Contains(p.timeline.told, st.Kind) {
		p.timeline.told = append(p.timeline.told, st.Kind)
		p.say(st)
	}
}

// bridge fills n windows between the last one and the next, which divide the
// time between their ends with it evenly.
func (p *placer) bridge(next *Window, n int) {
	mean := powerspy.Measurement{
		Voltage:     (p.last.Voltage + next.Voltage) / 2,
		Current:     (p.last.Current + next.Current) / 2,
		Power:       (p.last.Power + next.Power) / 2,
		VoltagePeak: (p.last.VoltagePeak + next.VoltagePeak) / 2,
		CurrentPeak: (p.last.CurrentPeak + next.CurrentPeak) / 2,
	}
	span := next.End.Sub(p.lastEnd)
	start := p.lastEnd
	for i := 1; i <= n; i++ {
		end := p.lastEnd.Add(span * time.Duration(i) / time.Duration(n+1))
		p.events.push(Event{Kind: WindowEvent, Window: Window{
			Start: start, End: end, Length: next.Length, Error: max(p.last.Error, next.Error),
			Frequency: next.Frequency, Measurement: mean, Bridged: true,
		}})
		start = end
	}
	next.Start = start
}
