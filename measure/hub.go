package measure

import (
	"cmp"
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"powerspy2/meter"
	"powerspy2/powerspy"
)

// A Hub is a sink that hands what a source yields, and marks, to any number of
// readers, and remembers it for a while, so that a reader may begin in the past.
// All read from one memory: a reader that is slow, or has stopped, holds up neither
// the source nor other readers. It takes some 5 KiB a second at 50 windows a second.
//
// Set the exported fields before its first event. Its methods may be called
// concurrently.
type Hub struct {
	// Keep is for how long events are remembered, and so by how much a reader may be
	// late before it misses some. 0: an hour.
	Keep time.Duration

	mu       sync.Mutex
	chunks   []*hubChunk
	next     uint64    // number of the next item
	latest   time.Time // of what came
	reached  hubCount  // before the next item
	origin   int64     // start of the first window or gap, as UNIX nanoseconds; 0: there was none
	ended    bool
	progress chan struct{} // closed and replaced with each item while somebody waits
}

// A HubItem is what a reader of a [Hub] gets: an event, or a mark.
type HubItem struct {
	Event meter.Event // unless there is a Mark
	Mark  *Mark       // not to be changed
}

// A hubCount is how far a stream has come.
type hubCount struct {
	windows int   // how many there were, those in gaps included
	unknown int   // gaps of an unknown number of windows
	end     int64 // of the last window or gap, as UNIX nanoseconds
}

// A hubChunk holds items that follow each other.
type hubChunk struct {
	first  uint64   // number of the first item
	before hubCount // the first item
	items  []hubWindow
	others []HubItem // which are no windows
}

// A hubWindow is a window without what takes much memory.
type hubWindow struct {
	start, end           int64 // UNIX nanoseconds
	length, error, delay time.Duration
	frequency            float64
	powerspy.Measurement
	bridged bool
	other   int32 // place among others, plus 1; 0: it is a window
}

const (
	chunkItems = 256

	// shortest bounds how many items there are: no window is as short.
	shortest = 10 * time.Millisecond

	// readAtOnce is how many items a reader takes from the hub at once.
	readAtOnce = 64
)

// TooSlow is the reason of the gap that a reader gets in the place of what it was
// too slow for.
const TooSlow = "the reader was too slow"

var _ Sink = (*Hub)(nil)

// Event implements [Sink]. It never fails.
func (h *Hub) Event(e *meter.Event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch e.Kind {
	case meter.WindowEvent:
		w := &e.Window
		h.begin(w.Start)
		h.add(hubWindow{
			start: w.Start.UnixNano(), end: w.End.UnixNano(), length: w.Length, error: w.Error, delay: w.Delay,
			frequency: w.Frequency, Measurement: w.Measurement, bridged: w.Bridged,
		}, nil, w.End)
	case meter.GapEvent:
		h.begin(e.Gap.From)
		h.add(hubWindow{}, &HubItem{Event: *e}, e.Gap.To)
	case meter.StatusEvent:
		h.add(hubWindow{}, &HubItem{Event: *e}, e.Status.Time)
	}
	return nil
}

// Mark hands a mark to the readers.
func (h *Hub) Mark(m Mark) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add(hubWindow{}, &HubItem{Mark: &m}, h.latest)
}

// End implements [Sink]: readers that have read all come to their end.
func (h *Hub) End() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	h.wake()
	return nil
}

func (h *Hub) begin(t time.Time) {
	if h.origin == 0 {
		h.origin = t.UnixNano()
	}
}

func (h *Hub) wake() {
	if h.progress != nil {
		close(h.progress)
		h.progress = nil
	}
}

// add takes an item in, which came at a time.
func (h *Hub) add(w hubWindow, other *HubItem, at time.Time) {
	n := len(h.chunks)
	if n == 0 || len(h.chunks[n-1].items) == chunkItems {
		h.chunks = append(h.chunks, &hubChunk{first: h.next, before: h.reached, items: make([]hubWindow, 0, chunkItems)})
		n++
	}
	c := h.chunks[n-1]
	if other != nil {
		c.others = append(c.others, *other)
		w.other = int32(len(c.others))
	}
	c.items = append(c.items, w)
	h.reached.pass(c, &w)
	h.next++
	if at.After(h.latest) {
		h.latest = at
	}
	h.forget()
	h.wake()
}

// forget drops what is too old, or too much.
func (h *Hub) forget() {
	keep := h.Keep
	if keep == 0 {
		keep = keepUsually
	}
	horizon := h.latest.Add(-keep).UnixNano()
	most := int(keep/shortest)/chunkItems + 2
	n := 0
	for n < len(h.chunks)-1 && (h.chunks[n+1].before.end < horizon || len(h.chunks)-n > most) {
		n++
	}
	h.chunks = slices.Delete(h.chunks, 0, n)
}

// pass counts an item of a chunk.
func (n *hubCount) pass(c *hubChunk, w *hubWindow) {
	if w.other == 0 {
		n.windows++
		n.end = w.end
		return
	}
	if e := &c.others[w.other-1].Event; e.Kind == meter.GapEvent {
		n.windows += e.Gap.Windows
		if e.Gap.Windows == 0 {
			n.unknown++
		}
		n.end = e.Gap.To.UnixNano()
	}
}

// item returns an item of the chunk.
func (c *hubChunk) item(i int) HubItem {
	w := &c.items[i]
	if w.other > 0 {
		return c.others[w.other-1]
	}
	return HubItem{Event: meter.Event{Kind: meter.WindowEvent, Window: meter.Window{
		Start: time.Unix(0, w.start), End: time.Unix(0, w.end), Length: w.length, Error: w.error, Delay: w.delay,
		Frequency: w.frequency, Measurement: w.Measurement, Bridged: w.bridged,
	}}}
}

// marks reports whether an item of the chunk is a mark after a moment.
func (c *hubChunk) marks(w *hubWindow, moment time.Time) bool {
	if w.other == 0 {
		return false
	}
	m := c.others[w.other-1].Mark
	return m != nil && m.Time.After(moment)
}

// chunk returns the place of the chunk that an item is in, or would be.
func (h *Hub) chunk(seq uint64) int {
	i, found := slices.BinarySearchFunc(h.chunks, seq, func(c *hubChunk, seq uint64) int {
		switch {
		case c.first < seq:
			return -1
		case c.first > seq:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	return i
}

// Reader returns a reader of what comes from now on, or, if from is not zero, of
// the windows that end after it, the marks after it that came since the window before
// them, and what follows, as far as that is remembered. Close it.
func (h *Hub) Reader(from time.Time) *HubReader {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := &HubReader{hub: h, next: h.next, passed: h.reached}
	if from.IsZero() || len(h.chunks) == 0 {
		return r
	}
	at := from.UnixNano()
	i, _ := slices.BinarySearchFunc(h.chunks, at, func(c *hubChunk, at int64) int {
		if c.before.end < at {
			return -1
		}
		return 1
	})
	if i > 0 {
		i--
	}
	marked := false
	for ; i < len(h.chunks); i++ {
		c := h.chunks[i]
		passed := c.before
		for n := range c.items {
			w, before := &c.items[n], passed
			passed.pass(c, w)
			reached := passed.end != before.end
			if !marked && (reached || c.marks(w, from)) {
				marked = true
				r.next, r.passed = c.first+uint64(n), before
			}
			if reached && passed.end > at {
				return r
			}
			marked = marked && !reached
		}
	}
	if !marked {
		r.next, r.passed = h.next, h.reached
	}
	return r
}

// A HubReader reads from a [Hub]. Its methods are not to be called concurrently.
type HubReader struct {
	hub    *Hub
	next   uint64   // number of the next item
	passed hubCount // before that
	items  []HubItem
	taken  int // of items
}

// Next returns the next item, and waits for one. In the place of what it was too
// slow for comes a gap, whose reason is [TooSlow]. The error is io.EOF after the
// end of the hub, or that of ctx.
func (r *HubReader) Next(ctx context.Context) (HubItem, error) {
	for r.taken == len(r.items) {
		wait, err := r.take()
		if err != nil {
			return HubItem{}, err
		}
		if wait == nil {
			break
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return HubItem{}, ctx.Err()
		}
	}
	r.taken++
	return r.items[r.taken-1], nil
}

// Wait returns what is closed when Next no longer waits; nil: it does not wait now.
func (r *HubReader) Wait() <-chan struct{} {
	if r.taken < len(r.items) {
		return nil
	}
	wait, err := r.take()
	if err != nil {
		return nil
	}
	return wait
}

// take takes items from the hub. It returns what to wait for where there are none.
func (r *HubReader) take() (<-chan struct{}, error) {
	h := r.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(r.items) // they may hold marks
	r.items, r.taken = r.items[:0], 0
	r.skip()
	if r.next == h.next {
		if len(r.items) > 0 {
			return nil, nil
		}
		if h.ended {
			return nil, io.EOF
		}
		if h.progress == nil {
			h.progress = make(chan struct{})
		}
		return h.progress, nil
	}
	for i := h.chunk(r.next); i < len(h.chunks) && len(r.items) < readAtOnce; i++ {
		c := h.chunks[i]
		for n := int(r.next - c.first); n < len(c.items) && len(r.items) < readAtOnce; n++ {
			r.items = append(r.items, c.item(n))
			r.passed.pass(c, &c.items[n])
			r.next++
		}
	}
	return nil, nil
}

// skip goes on to what is remembered, and puts a gap in the place of the
// windows that it misses.
func (r *HubReader) skip() {
	h := r.hub
	if len(h.chunks) == 0 {
		return
	}
	c := h.chunks[0]
	if r.next >= c.first {
		return
	}
	missed := r.passed
	r.next, r.passed = c.first, c.before
	if c.before.end == missed.end {
		return // it misses no more than statuses and marks
	}
	g := meter.Gap{From: time.Unix(0, cmp.Or(missed.end, h.origin)), To: time.Unix(0, c.before.end), Reason: TooSlow}
	if c.before.unknown == missed.unknown {
		g.Windows = c.before.windows - missed.windows
	}
	r.items = append(r.items, HubItem{Event: meter.Event{Kind: meter.GapEvent, Gap: g}})
}

// Close ends reading. What the reader holds goes with it.
func (r *HubReader) Close() {
	r.items, r.taken = nil, 0
}
