package field

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// What Read may find.
var (
	ErrNoField = errors.New("not the file of a field test")
	ErrTorn    = errors.New("the file of a field test ends in the middle")
)

// A VersionError says that a file is of another version than this program knows.
type VersionError struct{ Version int }

// Error says which.
func (e *VersionError) Error() string {
	return fmt.Sprintf("a field test of version %d, where this program knows version %d", e.Version, Version)
}

// maxSize bounds a file. A field test of five minutes takes a quarter of a
// megabyte.
const maxSize = 64 << 20

// Write writes f as JSON.
func Write(w io.Writer, f *File) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// Read reads what [Write] wrote. The error is a [*VersionError], matches
// [ErrNoField] or [ErrTorn], is that of r, or says what in the file makes no
// sense.
func Read(r io.Reader) (*File, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSize {
		return nil, fmt.Errorf("%w: it is larger than %d bytes", ErrNoField, maxSize)
	}
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := unmarshal(text, &head); err != nil {
		return nil, err
	}
	switch {
	case head.Format != Format:
		return nil, fmt.Errorf("%w: its format is %q", ErrNoField, head.Format)
	case head.Version != Version:
		return nil, &VersionError{head.Version}
	}
	f := new(File)
	if err := unmarshal(text, f); err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("field test: %w", err)
	}
	return f, nil
}

// unmarshal is json.Unmarshal with errors of this package.
func unmarshal(text []byte, v any) error {
	err := json.Unmarshal(text, v)
	syntax, bad := errors.AsType[*json.SyntaxError](err)
	switch {
	case err == nil:
		return nil
	case !bad:
		return fmt.Errorf("field test: %w", err)
	case syntax.Offset >= int64(len(text)) && len(text) > 0 && text[0] == '{':
		return fmt.Errorf("%w, after %d bytes", ErrTorn, len(text))
	}
	return fmt.Errorf("%w: no JSON: %w", ErrNoField, err)
}

// check says what in a file makes no sense, so that nobody who behaves by it
// has to.
func (f *File) check() error {
	if g := f.Meter.Generation; g != 1 && g != 2 {
		return fmt.Errorf("generation %d of the meter is neither 1 nor 2", g)
	}
	if n := len(f.EEPROM.Bytes); f.EEPROM.Status == Done && n != EEPROMSize {
		return fmt.Errorf("%d bytes of EEPROM, not %d", n, EEPROMSize)
	}
	if !believable(f.Meter.Frequency) {
		return fmt.Errorf("mains of %g Hz", f.Meter.Frequency)
	}
	for _, a := range f.Mains.Answers {
		if !believable(a.Hertz) {
			return fmt.Errorf("an answer to F of %g Hz", a.Hertz)
		}
	}
	for _, ms := range append([]float64{f.RoundTrips.Shortest}, f.RoundTrips.Milliseconds...) {
		if !(ms >= 0 && ms <= maxDelay*1000) {
			return fmt.Errorf("a round trip of %g ms", ms)
		}
	}
	for _, l := range f.Card.Files {
		if l.Size < 0 || l.Size > math.MaxUint32 {
			return fmt.Errorf("a file of %d bytes on the SD card", l.Size)
		}
	}
	seen := map[int]bool{}
	for _, s := range f.Streams {
		if s.Periods < 1 || s.Periods > 65535 || seen[s.Periods] {
			return fmt.Errorf("a stream of %d periods, or two of them", s.Periods)
		}
		seen[s.Periods] = true
		if err := s.check(); err != nil {
			return fmt.Errorf("stream of %d periods: %w", s.Periods, err)
		}
	}
	return nil
}

const (
	maxDelay = 60 // seconds

	// maxWindows bounds what behaving by a file costs: a stream of half a minute
	// has 1500 windows at most.
	maxWindows = 100_000
)

func believable(hertz float64) bool { return hertz >= 40 && hertz <= 70 }

func (s *Stream) check() error {
	if len(s.Frames) > 0 && !believable(s.Hertz) {
		return fmt.Errorf("mains of %g Hz", s.Hertz)
	}
	last := -1
	for _, f := range s.Frames {
		switch {
		case f.Window <= last || f.Window > maxWindows:
			return fmt.Errorf("window %d after window %d", f.Window, last)
		case f.Delay < 0 || f.Delay.Seconds() > maxDelay:
			return fmt.Errorf("a delay of %v", f.Delay)
		case f.Damaged < 0 || f.Damaged > maxWindows:
			return fmt.Errorf("%d damaged frames", f.Damaged)
		}
		last = f.Window
	}
	for _, start := range s.Starts {
		if !(start.After >= 0 && start.After <= maxDelay*1000) {
			return fmt.Errorf("a first frame %g ms after J", start.After)
		}
	}
	return nil
}
