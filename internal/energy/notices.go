package energy

import (
	"sync"

	"powerspy2/internal/harmless"
	"powerspy2/meter"
)

// mostNotices bounds what is noticed during a job.
const mostNotices = 20

// Notices are a sink that keeps what a person should know of the meter, for the report:
// the terminal is the command's.
type Notices struct {
	mu   sync.Mutex
	list []string
}

// Event implements measure.Sink.
func (n *Notices) Event(e *meter.Event) error {
	if e.Kind != meter.StatusEvent || e.Status.Phase != meter.Noticed {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.list) < mostNotices {
		n.list = append(n.list, harmless.Text(e.Status.Text))
	}
	return nil
}

// End implements measure.Sink.
func (*Notices) End() error { return nil }

// Warn adds them to the warnings of a job.
func (n *Notices) Warn(r *Result) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, text := range n.list {
		r.Warn("%s", text)
	}
}
