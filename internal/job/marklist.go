//go:build unix

package job

import (
	"sync"
	"time"

	"powerspy2/internal/harmless"
	"powerspy2/measure"
)

// MaxMarks bounds the marks of a job.
const MaxMarks = 1 << 20

// A MarkList gathers the marks of a job, from several goroutines: its first [MaxMarks].
type MarkList struct {
	Also func(measure.Mark) // is told of each that is kept

	mu      sync.Mutex
	list    []measure.Mark
	dropped int
}

// Add adds a mark.
func (l *MarkList) Add(m measure.Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == MaxMarks {
		l.dropped++
		return
	}
	l.list = append(l.list, m)
	l.Also(m)
}

// Marks returns the marks, and how many more there were.
func (l *MarkList) Marks() (list []measure.Mark, dropped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.list, l.dropped
}

// PhaseName makes the name of a phase of what a command has printed.
func PhaseName(printed []byte) string {
	mark, _ := ParseMark(string(printed), time.Time{})
	if mark.End {
		return "(empty)"
	}
	return harmless.Text(mark.Name)
}
