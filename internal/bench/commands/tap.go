package commands

import (
	"sync"
	"time"

	"powerspy2/internal/bench"
	"powerspy2/measure"
	"powerspy2/meter"
)

// A tap is a sink that shows windows to who waits for the power to settle, and
// knows how long they are.
type tap struct {
	mu      sync.Mutex
	length  time.Duration  // of the last window
	settler *bench.Settler // nil: nobody waits
	from    time.Time
	back    chan struct{}
}

var _ measure.Sink = (*tap)(nil)

// Event implements measure.Sink.
func (p *tap) Event(e *meter.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Kind != meter.WindowEvent {
		return nil
	}
	p.length = e.Window.Length
	if p.settler == nil || e.Window.Start.Before(p.from) {
		return nil
	}
	if p.settler.Add(e.Window.Power, e.Window.Length) {
		close(p.back)
		p.settler = nil
	}
	return nil
}

// End implements measure.Sink.
func (p *tap) End() error { return nil }

// lag is by how much later than usual windows may come, since they are long.
func (p *tap) lag() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return 2 * p.length
}

// wait returns a channel that is closed when the power from now on is what a settler
// waits for.
func (p *tap) wait(s *bench.Settler) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settler, p.from, p.back = s, time.Now(), make(chan struct{})
	return p.back
}
