package bridge

import "bytes"

// maxRequest bounds a request that is being followed; T has 37 characters.
const maxRequest = 64

// A mode follows what a client asks, to know whether it is in real-time mode.
type mode struct {
	partial []byte // the request so far, from its <; nil outside
	start   []byte // the last J while real-time mode is on, as it was sent; else nil
}

// sent takes note of bytes that went to the meter.
func (m *mode) sent(p []byte) {
	for _, c := range p {
		switch {
		case c == '<':
			m.partial = append(m.partial[:0:0], c)
		case m.partial == nil:
		case c == '>':
			m.request(append(m.partial, c))
			m.partial = nil
		case len(m.partial) >= maxRequest:
			m.partial = nil
		default:
			m.partial = append(m.partial, c)
		}
	}
}

func (m *mode) request(r []byte) {
	switch {
	case bytes.HasPrefix(r, []byte("<J")):
		m.start = r
	case bytes.Equal(r, []byte("<Q>")), bytes.Equal(r, []byte("<R>")):
		m.start = nil
	}
}

// A swallower takes the first <K> out of a stream: the answer to a request that
// the client did not send. Frames before it pass.
type swallower struct {
	partial []byte // matched so far
	done    bool
}

const accepted = "<K>"

// filter returns p without the answer. It may be another slice.
func (s *swallower) filter(p []byte) []byte {
	if s.done {
		return p
	}
	var out []byte
	for i, c := range p {
		if c != accepted[len(s.partial)] {
			out = append(out, s.partial...)
			s.partial = s.partial[:0]
		}
		if c != accepted[len(s.partial)] {
			out = append(out, c)
			continue
		}
		s.partial = append(s.partial, c)
		if len(s.partial) == len(accepted) {
			s.done = true
			return append(out, p[i+1:]...)
		}
	}
	return out
}
