package powerspy

import "bytes"

// maxFrame bounds the inside of a frame. The longest answer that this package
// waits for is a real-time frame.
const maxFrame = 256

// A scanner cuts a stream of bytes into frames: it yields what stands between
// < and > and skips all else, such as the line ends that meters send between
// frames (LF CR, the reverse of the usual order). How the stream is chopped
// makes no difference, and memory is bounded whatever comes.
//
// The zero value is ready for use.
type scanner struct {
	pending []byte // fed and not yet scanned; belongs to the caller
	state   scanState
	partial [maxFrame]byte
	n       int // length of partial

	// broken counts the frames that were damaged: interrupted by another <,
	// longer than maxFrame, or ended by a > that has no <.
	broken uint64
}

type scanState uint8

const (
	outside  scanState = iota
	inside             // after a <, with its > still to come
	ignoring           // the same, in a frame already given up
)

// feed gives the scanner more bytes, which must stay as they are until next
// has returned false.
func (s *scanner) feed(p []byte) { s.pending = p }

// discard forgets everything fed so far. Of a frame that is half there, the
// other half will be ignored.
func (s *scanner) discard() {
	for {
		if _, ok := s.next(); !ok {
			break
		}
	}
	if s.state == inside {
		s.state = ignoring
	}
}

// next returns the inside of the next frame, valid until the next call, or
// false when more bytes are needed.
func (s *scanner) next() ([]byte, bool) {
	for len(s.pending) > 0 {
		at := bytes.IndexAny(s.pending, "<>")
		if at < 0 {
			s.keep(s.pending)
			s.pending = nil
			return nil, false
		}
		s.keep(s.pending[:at])
		delimiter := s.pending[at]
		s.pending = s.pending[at+1:]

		was := s.state
		if delimiter == '<' {
			if was == inside {
				s.broken++
			}
			s.state, s.n = inside, 0
			continue
		}
		s.state = outside
		switch was {
		case inside:
			return s.partial[:s.n], true
		case outside:
			s.broken++
		case ignoring:
			// Counted when it was given up.
		}
	}
	return nil, false
}

// keep adds p to the frame, if there is one and it has room.
func (s *scanner) keep(p []byte) {
	if s.state != inside {
		return
	}
	if len(p) > maxFrame-s.n {
		s.state = ignoring
		s.broken++
		return
	}
	s.n += copy(s.partial[s.n:], p)
}
