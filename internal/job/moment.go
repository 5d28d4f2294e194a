//go:build unix

package job

import (
	"sync"
	"time"
)

// moments tells when something of a job was read. What it left behind, which is read
// after its end, is of its end.
type moments struct {
	mu  sync.Mutex
	end time.Time
}

func (m *moments) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.end.IsZero() {
		return time.Now()
	}
	return m.end
}

// finish returns the end, which is now.
func (m *moments) finish() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end = time.Now()
	return m.end
}
