package record

import (
	"context"
	"errors"
	"io"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
)

// Notes are what a recording holds beside windows, gaps and statuses.
type Notes struct {
	Headers []Header        // one for each time that the file was written to
	Marks   []measure.Mark  // in the order of the file
	Jobs    []Job           // each once, with its end where it has one, without Result
	Phases  []measure.Phase // in the order of time; names repeat
	Dropped int             // how many were left out: see MaxNotes
}

// MaxNotes bounds the notes of a recording, in bytes of their names and commands,
// with noteSize for each: more than a million marks.
const MaxNotes = 128 << 20

const noteSize = 100

// size returns how much of MaxNotes a line is.
func (l *Line) size() int {
	n := noteSize + len(l.Mark.Name)
	switch l.Kind {
	case HeaderLine:
		n = noteSize + len(l.Header.Meter.Name) + len(l.Header.Meter.Device) + len(l.Header.Host) + len(l.Header.Tool)
	case JobLine:
		n = noteSize + len(l.Job.ID)
		for _, word := range l.Job.Command {
			n += len(word)
		}
	}
	return n
}

// ReadNotes reads a recording to its end, and returns what it holds beside windows.
// It does without what it costs to parse those. Errors are those of [Open] and
// [Recording.Next].
func ReadNotes(ctx context.Context, path string) (*Notes, error) {
	r, err := openBare(ctx, path)
	if err != nil {
		return nil, err
	}
	notes, err := r.notes()
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	return notes, nil
}

// started tells a job from others.
type started struct {
	id string
	at int64 // UNIX nanoseconds
}

func (r *Recording) notes() (*Notes, error) {
	r.reader.noWindows = true
	n := &Notes{Headers: []Header{r.header}}
	var marks []measure.Mark // with those that the ends of jobs are
	open := map[started]int{}
	room := MaxNotes
	for {
		if err := r.ctx.Err(); err != nil {
			return nil, err
		}
		l, err := r.reader.Next()
		var version *VersionError
		switch {
		case err == nil:
		case errors.Is(err, ErrFormat) && !errors.As(err, &version):
			continue // what is wrong is told by who reads the windows
		default:
			if err = r.ending(err); !errors.Is(err, io.EOF) {
				return nil, err
			}
			var end time.Time // phases that reach to it need a window
			var last Line
			if known, err := last.Parse(r.reader.window); known && err == nil && last.Event.Kind == meter.WindowEvent {
				end = last.Event.Window.End
			}
			n.Phases = phasesOf(marks, end)
			return n, nil
		}
		if l.Kind == EventLine {
			continue
		}
		if room -= l.size(); room < 0 {
			n.Dropped++
			continue
		}
		switch l.Kind {
		case HeaderLine:
			n.Headers = append(n.Headers, l.Header)
		case MarkLine:
			n.Marks = append(n.Marks, l.Mark)
			marks = append(marks, l.Mark)
		case JobLine:
			job := l.Job
			job.Result = nil
			is := started{job.ID, job.Start.UnixNano()}
			if job.End.IsZero() {
				open[is] = len(n.Jobs)
				n.Jobs = append(n.Jobs, job)
				continue
			}
			marks = append(marks, measure.Mark{Time: job.End, End: true})
			if i, ok := open[is]; ok {
				n.Jobs[i] = job
				delete(open, is)
			} else {
				n.Jobs = append(n.Jobs, job)
			}
		}
	}
}
