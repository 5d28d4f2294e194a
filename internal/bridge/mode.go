package bridge

import "bytes"

// maxFollowed bounds a frame that is being followed; T has 37 characters, and
// of longer answers none matters here.
const maxFollowed = 64

// Answers of the meter to a request that it obeys, and to one that it does not.
const accepted, refused = "<K>", "<Z>"

// A follower finds the frames in a stream of bytes.
type follower struct {
	partial []byte // the frame so far, from its <; nil outside
}

// follow calls each with the frames that end in p, from < to >.
func (f *follower) follow(p []byte, each func(frame []byte)) {
	for _, c := range p {
		switch {
		case c == '<':
			f.partial = append(f.partial[:0:0], c)
		case f.partial == nil:
		case c == '>':
			each(append(f.partial, c))
			f.partial = nil
		case len(f.partial) >= maxFollowed:
			f.partial = nil
		default:
			f.partial = append(f.partial, c)
		}
	}
}

// A mode follows what a client asks, to know whether it is in real-time mode.
type mode struct {
	requests follower
	start    []byte // the last J until real-time mode is ended, as it was sent; else nil
	streams  bool   // the J was accepted
	spoken   bool   // something was sent
}

// sent takes note of bytes for the meter, and returns how often they ask for its
// identity.
func (m *mode) sent(p []byte) (asked int) {
	m.spoken = m.spoken || len(p) > 0
	m.requests.follow(p, func(r []byte) {
		switch {
		case bytes.HasPrefix(r, []byte("<J")):
			m.start, m.streams = r, false
		case bytes.Equal(r, []byte("<Q>")), bytes.Equal(r, []byte("<R>")):
			m.start, m.streams = nil, false
		case bytes.Equal(r, []byte("<?>")):
			asked++
		}
	})
	return asked
}

// answered takes note of an answer of the meter.
func (m *mode) answered(frame []byte) {
	switch {
	case m.start == nil || m.streams:
	case string(frame) == accepted:
		m.streams = true
	case string(frame) == refused:
		m.start = nil
	}
}

// broken takes note of the loss of the link. A request that was not answered is
// lost with it.
func (m *mode) broken() {
	m.requests = follower{}
	if !m.streams {
		m.start = nil
	}
}

// An opening is what a client says first. A browser that a web page sends to the
// port of a bridge, or a program that looks for a modem, begins otherwise than
// with a request, and may have one further on.
type opening struct {
	seen  []byte // so far
	valid bool
}

// requestLetters are the commands of the protocol (AL/LG/0838/003 §3).
const requestLetters = "?LTRWVSCFABJQEGMOPUYX"

// take takes what a client sends, and returns what to pass on of it. It is not
// ok once the first bytes can be no request: line ends and blanks, perhaps, then
// < and the letter of a command.
func (o *opening) take(p []byte) (pass []byte, ok bool) {
	if o.valid {
		return p, true
	}
	const most = 64
	o.seen = append(o.seen, p...)
	request := bytes.TrimLeft(o.seen, "\r\n \t\x00")
	switch {
	case len(request) > 0 && request[0] != '<',
		len(request) > 1 && bytes.IndexByte([]byte(requestLetters), request[1]) < 0,
		len(request) == 0 && len(o.seen) > most:
		o.seen = o.seen[:min(len(o.seen), most)]
		return nil, false
	case len(request) < 2:
		return nil, true // too little to tell
	}
	pass, o.seen, o.valid = o.seen, nil, true
	return pass, true
}

// A swallower takes the first <K> or <Z> out of a stream: the answer to a
// request that the client did not send.
type swallower struct {
	partial []byte // matched so far
	stale   bool   // what comes before it is for nobody, and is taken out, too
	done    bool
}

// filter returns p without the answer. It may be another slice.
func (s *swallower) filter(p []byte) []byte {
	if s.done {
		return p
	}
	var before []byte
	for i, c := range p {
		if !s.matches(c) {
			before = append(before, s.partial...)
			s.partial = s.partial[:0]
		}
		if !s.matches(c) {
			before = append(before, c)
			continue
		}
		s.partial = append(s.partial, c)
		if len(s.partial) == len(accepted) {
			s.done = true
			return append(s.pass(before), p[i+1:]...)
		}
	}
	return s.pass(before)
}

func (s *swallower) pass(before []byte) []byte {
	if s.stale {
		return nil
	}
	return before
}

// matches reports whether the answer may go on with c.
func (s *swallower) matches(c byte) bool {
	n := len(s.partial)
	return c == accepted[n] || c == refused[n]
}
