package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"powerspy2/internal/logfile"
)

// FileConfig says how a recording is kept in a file.
type FileConfig struct {
	// Sync is how long what is written may stay in the memory of the machine,
	// where a power failure takes it. 0: as long as the system likes.
	Sync time.Duration

	// Claim keeps a second writer away from the file with this key, and returns
	// what ends that; its error is that of OpenFile. nil: nobody is kept away.
	Claim func(key string) (release func() error, err error)
}

// An OtherMeterError is a recording of another meter than the one that was to be
// recorded.
type OtherMeterError struct{ There, Ours Meter }

func (e *OtherMeterError) Error() string {
	return fmt.Sprintf("it holds a recording of another meter, %s with the serial number %d, not of %s with %d",
		e.There.Name, e.There.Serial, e.Ours.Name, e.Ours.Serial)
}

// ErrGzip is a recording that can't be appended to.
var ErrGzip = errors.New("it is compressed by gzip, to which nothing is appended")

// A File is a Writer to a file.
type File struct {
	*Writer
	file  *logfile.File
	there *Header // of the recording that is appended to; nil: it is a new one
}

// compressedEnding makes a new file a compressed one.
const compressedEnding = ".zst"

// OpenFile opens a file to append a recording to, and makes it if there is none:
// a compressed one if its name ends in .zst. A file that is there is gone on with
// as it is. What a crash has left of its last line, or of its last frame, is cut
// off first: see Cut. ctx bounds waiting for the reader of a named pipe.
//
// Errors are those of config.Claim, those of [NewReader] and ErrDamaged, where it
// is no recording, which is not touched, [ErrGzip], and those of the system, without
// the file's name.
func OpenFile(ctx context.Context, path string, config FileConfig) (*File, error) {
	compressed, err := isCompressed(path)
	if err != nil {
		return nil, err
	}
	f := &File{}
	lc := logfile.Config{Sync: config.Sync, Claim: config.Claim}
	lc.Check = func(c logfile.Content) error { return checkStart(c.Head, c.Torn) }
	if compressed {
		lc.Whole = wholeRecording
		lc.Check = nil
	}
	if f.file, err = logfile.Open(ctx, path, lc); err != nil {
		return nil, err
	}
	if f.there, err = firstHeader(path); err != nil {
		return nil, errors.Join(err, f.file.Close())
	}
	f.Writer = NewWriter(f.file, compressed)
	return f, nil
}

// isCompressed tells how a file is to be written. A pipe or a device goes by its
// name, too.
func isCompressed(path string) (bool, error) {
	byName := strings.HasSuffix(path, compressedEnding)
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return byName, nil // what is wrong shows when it is opened
	}
	f, err := os.Open(path)
	if err != nil {
		return byName, nil
	}
	defer f.Close()
	head := make([]byte, len(magic))
	n, err := io.ReadFull(f, head)
	head = head[:n]
	switch {
	case err != nil && !tooEarly(err):
		return false, err
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return false, ErrGzip
	case bytes.HasPrefix(magic, head):
		return true, nil // perhaps all that a crash has left
	}
	return byName && (n == 0 || head[0] == 0), nil
}

// checkStart refuses a file of text that is no recording.
func checkStart(head, torn []byte) error {
	if len(head) == 0 {
		// A crash has left a part of the first line.
		n := min(len(torn), len(headerStart))
		if n < 4 || string(torn[:n]) != headerStart[:n] {
			return fmt.Errorf("%w: it is %q, without a line end", ErrFormat, torn[:min(n, 60)])
		}
		return nil
	}
	first, _, _ := bytes.Cut(head, []byte("\n"))
	if !bytes.HasPrefix(first, []byte(headerStart)) {
		return fmt.Errorf("%w: it begins with %q", ErrFormat, first[:min(len(first), 60)])
	}
	var l Line
	_, err := l.Parse(first)
	return err
}

// wholeRecording is wholeFrames for a file that is a recording, and an error for
// any other.
func wholeRecording(r io.ReaderAt, size int64) (int64, error) {
	if size == 0 {
		return 0, nil
	}
	whole, err := wholeFrames(r, size)
	if err != nil {
		return 0, err
	}
	if whole == 0 {
		// Of the first frame of a recording there is not much.
		if size > MaxLine {
			return 0, fmt.Errorf("%w: its first frame is torn, and too long", ErrFormat)
		}
		return 0, nil
	}
	d, err := NewReader(io.NewSectionReader(r, 0, whole))
	if err != nil {
		return 0, err
	}
	defer d.Close()
	_, err = d.Next()
	return whole, err
}

// firstHeader returns the header of a recording, nil of an empty file or what is
// no file.
func firstHeader(path string) (*Header, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := NewReader(f)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	l, err := d.Next()
	if err != nil {
		return nil, err
	}
	h := l.Header
	return &h, nil
}

// Cut returns how many bytes of a torn end were cut off when the file was opened.
func (f *File) Cut() int64 { return f.file.Cut() }

// Begin is [Writer.Begin]. The error is an *[OtherMeterError] where the file holds
// a recording of another meter.
func (f *File) Begin(h Header) error {
	if f.there != nil && !f.there.Meter.Same(&h.Meter) {
		return &OtherMeterError{f.there.Meter, h.Meter}
	}
	return f.Writer.Begin(h)
}

// Close writes the lines that wait, and closes the file. An error of writing that
// was returned before is not returned again.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if f.err == nil {
		err = f.flush()
	}
	if f.timer != nil {
		f.timer.Stop()
	}
	if f.err == nil {
		f.err = os.ErrClosed
	}
	return errors.Join(err, f.file.Close())
}
