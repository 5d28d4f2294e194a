package powerspy

import "bytes"

// maxFrame bounds the inside of a frame, but for the few answers that are of
// no fixed length; see exchangeLong.
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
	partial []byte // the frame so far
	limit   int    // on the length of a frame; maxFrame if zero

	// broken counts the frames that were damaged: interrupted by another <,
	// longer than the limit, or ended by a > that has no <.
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
			s.state, s.partial = inside, s.partial[:0]
			continue
		}
		s.state = outside
		switch was {
		case inside:
			return s.partial, true
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
	if len(s.partial)+len(p) > max(s.limit, maxFrame) {
		s.state = ignoring
		s.broken++
		return
	}
	s.partial = append(s.partial, p...)
}

// take returns what was fed and not yet scanned, as it came, and forgets the
// frame that is half there. Bytes of it may be fed again.
func (s *scanner) take() []byte {
	p := s.pending
	s.pending, s.state = nil, outside
	return p
}

// partialLength returns the length of the frame so far.
func (s *scanner) partialLength() int {
	if s.state != inside {
		return 0
	}
	return len(s.partial)
}

// shrink returns to the usual limit, and to the usual memory. A long frame
// that next returned stays as it is.
func (s *scanner) shrink() {
	s.limit = 0
	if cap(s.partial) <= maxFrame {
		return
	}
	s.partial = nil
	if s.state == inside {
		s.state = ignoring
	}
}
