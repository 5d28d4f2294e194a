//go:build unix

package job

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/internal/harmless"
	"powerspy2/measure"
)

// Names of the variables that a command finds its job by.
const (
	JobVariable   = "POWERSPY_JOB"   // which job it is
	MarksVariable = "POWERSPY_MARKS" // the path of the pipe for its marks
)

// lastMarks is for how long marks that were written at the end of a job are
// waited for.
const lastMarks = 50 * time.Millisecond

// pipeSize bounds what is taken after that, in bytes: as much as a pipe of a user
// may hold (pipe(7), pipe-max-size).
const pipeSize = 1 << 20

// Marks is a named pipe that takes the marks of a job: lines of a name, or of
// nothing, which ends a phase, and perhaps the UNIX time after a tab.
type Marks struct {
	ID   string // of the job
	Path string // of the pipe

	pipe  *os.File
	mark  func(measure.Mark)
	read  moments
	ended chan struct{}
	line  []byte
	long  bool // the line has more than is kept
	cut   int  // lines of which that was so
}

// OpenMarks makes the pipe in a directory of its own below one that nobody else
// may enter. mark is called with each mark, from one goroutine. A mark without a moment
// of its own is of when it was read, at the latest when the command ended that has the
// pipe: see [Command].
func OpenMarks(dir string, mark func(measure.Mark)) (*Marks, error) {
	sweep(dir)
	id := fmt.Sprintf("%d-%s", os.Getpid(), strings.ToLower(rand.Text()[:8]))
	own := filepath.Join(dir, prefix+id)
	// With the pipe its directory goes, so that a shell's `> $POWERSPY_MARKS`
	// makes no file later.
	if err := os.Mkdir(own, 0o700); err != nil {
		return nil, fmt.Errorf("make a place for marks: %w", err)
	}
	m := &Marks{ID: id, Path: filepath.Join(own, "marks"), mark: mark, ended: make(chan struct{})}
	if err := unix.Mkfifo(m.Path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("make a pipe for marks: %w", err), os.RemoveAll(own))
	}
	var err error
	// Open for writing, too: there is no end when the last writer goes.
	if m.pipe, err = os.OpenFile(m.Path, os.O_RDWR|syscall.O_NONBLOCK, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("open the pipe for marks: %w", err), os.RemoveAll(own))
	}
	go m.run()
	return m, nil
}

// prefix begins the names of the directories of jobs; their process follows.
const prefix = "job-"

// sweep removes the pipes of jobs whose powerspy was killed: who opens one of
// them would wait for ever.
func sweep(dir string) {
	list, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil {
		return
	}
	for _, path := range list {
		text, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), prefix), "-")
		if pid, err := strconv.Atoi(text); err == nil && pid > 0 && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			_ = os.RemoveAll(path) // the next one tries again
		}
	}
}

// Env returns the variables that tell a command of the pipe.
func (m *Marks) Env() []string {
	return []string{JobVariable + "=" + m.ID, MarksVariable + "=" + m.Path}
}

// Close takes what was written until now, and removes the pipe: writing to it fails
// from then on. It returns how many names were too long and cut.
func (m *Marks) Close() (cut int, err error) {
	// First, so that nobody opens it any more who would not be heard.
	err = os.RemoveAll(filepath.Dir(m.Path))
	if derr := m.pipe.SetReadDeadline(time.Now().Add(lastMarks)); derr != nil {
		err = errors.Join(err, derr)
	}
	<-m.ended
	return m.cut, errors.Join(err, m.pipe.Close())
}

func (m *Marks) run() {
	defer close(m.ended)
	buf := make([]byte, 64<<10)
	for {
		n, err := m.pipe.Read(buf)
		m.split(m.read.now(), buf[:n])
		if err != nil {
			m.drain(buf) // it is the deadline of Close
			return
		}
	}
}

// drain takes what is left in the pipe. On a busy machine much may be.
func (m *Marks) drain(buf []byte) {
	if err := m.pipe.SetReadDeadline(time.Time{}); err != nil {
		return
	}
	conn, err := m.pipe.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Read(func(fd uintptr) bool { // fails for a closed file only
		for left := pipeSize; left > 0; {
			n, err := unix.Read(int(fd), buf)
			if err == unix.EINTR {
				continue
			}
			if n <= 0 {
				break
			}
			m.split(m.read.now(), buf[:n])
			left -= n
		}
		return true
	})
}

// maxMark is the longest line: a name and a time.
const maxMark = measure.MaxName + 64

func (m *Marks) split(at time.Time, p []byte) {
	for {
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		room := maxMark - len(m.line)
		m.long = m.long || len(line) > room
		m.line = append(m.line, line[:min(len(line), room)]...)
		if !ended {
			return
		}
		mark, cut := ParseMark(string(m.line), at)
		if cut || m.long {
			m.cut++
		}
		m.mark(mark)
		m.line, m.long, p = m.line[:0], false, rest
	}
}

// ParseMark reads a line of a pipe of marks, read at a time. Names are made
// harmless, and cut where they are longer than measure.MaxName.
func ParseMark(line string, at time.Time) (mark measure.Mark, cut bool) {
	name, stamp, _ := strings.Cut(strings.TrimSuffix(line, "\r"), "\t")
	mark = measure.Mark{Time: at, Name: harmless.Text(name), End: name == ""}
	if len(mark.Name) > measure.MaxName {
		mark.Name, cut = strings.ToValidUTF8(mark.Name[:measure.MaxName], ""), true
	}
	// The stamp is by the wall clock, and at has the monotonic one: what matters is
	// how long ago it was.
	const years = 100 * 365 * 24 * 3600
	if s, err := strconv.ParseFloat(strings.TrimSpace(stamp), 64); err == nil && math.Abs(s) < years {
		whole, part := math.Modf(s)
		then := time.Unix(int64(whole), int64(part*1e9))
		mark.Time = at.Add(then.Sub(at.Round(0)))
	}
	return mark, cut
}

// Errors of Send.
var (
	ErrNoJob = errors.New("there is no job to mark")
	ErrEnded = errors.New("the job has ended")
)

// sendTime is how long writing a mark may take: the pipe is read all the time.
const sendTime = time.Second

// Send writes a mark to the pipe at path, the value of MarksVariable. Errors match
// ErrNoJob or ErrEnded, or are those of the system. It waits for nobody for long.
func Send(path string, mark measure.Mark) error {
	if path == "" {
		return fmt.Errorf("%w: %s is not set", ErrNoJob, MarksVariable)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ErrEnded
	case err != nil:
		return err
	case info.Mode()&fs.ModeNamedPipe == 0:
		return fmt.Errorf("%w: %s, of %s, is not a pipe", ErrNoJob, path, MarksVariable)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, syscall.ENXIO), errors.Is(err, fs.ErrNotExist):
		return ErrEnded
	case err != nil:
		return err
	}
	defer f.Close()
	if err := f.SetWriteDeadline(time.Now().Add(sendTime)); err != nil {
		return err
	}
	name := mark.Name
	if mark.End {
		name = ""
	}
	_, err = fmt.Fprintf(f, "%s\t%d.%06d\n", name, mark.Time.Unix(), mark.Time.Nanosecond()/1000)
	if errors.Is(err, syscall.EPIPE) {
		return ErrEnded
	}
	return err
}
