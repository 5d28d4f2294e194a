package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"powerspy2/internal/output"
	"powerspy2/internal/serve/api"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

const (
	// keepAlive is after how long without a line a reader is shown that the
	// connection lives.
	keepAlive = 5 * time.Second

	// stuck is how long a reader may take nothing before its connection ends. What it
	// missed is remembered for the next one.
	stuck = 15 * time.Minute

	// flushAt is how many bytes of lines wait at most while there are more.
	flushAt = 32 << 10
)

// events streams what a meter measures.
func (s *Server) events(w http.ResponseWriter, r *http.Request, m *Meter) {
	q := r.URL.Query()
	st := &stream{meter: m, out: w, control: http.NewResponseController(w)}
	var err error
	if text := q.Get("interval"); text != "" {
		if st.interval, err = parseInterval(text); err != nil {
			refuse(w, http.StatusBadRequest, "interval: "+err.Error())
			return
		}
	}
	st.sse = accepts(r, api.EventStream)
	from := q.Get("from")
	if id := r.Header.Get("Last-Event-ID"); st.sse && id != "" {
		from = id
	}
	var since time.Time
	if from != "" {
		if since, err = parseMoment(from); err != nil {
			refuse(w, http.StatusBadRequest, "from: "+err.Error())
			return
		}
	}
	leave, crowded := s.readers.enter(peerFrom(r).key)
	if leave == nil {
		text := fmt.Sprintf("there are %d readers already, which is the limit", s.readers.most)
		if crowded {
			text = fmt.Sprintf("there are %d readers of this user or address already, which is the limit of one", s.readers.mostOfOne)
		}
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, text)
		return
	}
	defer leave()
	h := w.Header()
	h.Set("Content-Type", api.JSONLines)
	if st.sse {
		h.Set("Content-Type", api.EventStream)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // which proxies may heed
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	st.reader = m.hub.Reader(since)
	defer st.reader.Close()
	// That of the request, which has been read, would end the stream.
	_ = st.control.SetReadDeadline(time.Time{})
	_ = st.run(r.Context()) // who read is gone
}

// parseInterval reads the length of readings: a duration, or a number of seconds.
func parseInterval(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		v, ferr := strconv.ParseFloat(text, 64)
		if ferr != nil || !(v > 0 && v <= meter.MaxInterval.Seconds()) {
			return 0, errors.New("not a duration such as 1s or 250ms")
		}
		d = time.Duration(v * float64(time.Second))
	}
	if d <= 0 || d > meter.MaxInterval {
		return 0, fmt.Errorf("it is not above zero, or more than %v", meter.MaxInterval)
	}
	return d, nil
}

// accepts reports whether a request asks for a media type by its name.
func accepts(r *http.Request, mediaType string) bool {
	for _, accept := range r.Header.Values("Accept") {
		for one := range strings.SplitSeq(accept, ",") {
			name, _, _ := strings.Cut(one, ";")
			if strings.EqualFold(strings.TrimSpace(name), mediaType) {
				return true
			}
		}
	}
	return false
}

// A stream is what one reader gets.
type stream struct {
	meter    *Meter
	interval time.Duration // of readings; 0: windows
	sse      bool
	reader   *measure.HubReader
	out      io.Writer
	control  *http.ResponseController

	headers  int            // number of the header that was written
	readings *measure.Every // nil: windows, or it is not known yet
	decided  bool           // whether it is windows or readings
	line     record.Line
	jsonl    output.Sink  // to text
	text     bytes.Buffer // of one line
	lines    bytes.Buffer // that wait
}

// run writes lines until the stream ends, ctx does, or nobody reads.
func (s *stream) run(ctx context.Context) error {
	if err := s.header(); err != nil {
		return err
	}
	s.decide()
	idle := time.NewTimer(keepAlive)
	defer idle.Stop()
	for {
		if s.lines.Len() >= flushAt {
			if err := s.flush(); err != nil {
				return err
			}
		}
		if wait := s.reader.Wait(); wait != nil {
			if s.lines.Len() > 0 {
				if err := s.flush(); err != nil {
					return err
				}
				idle.Reset(keepAlive)
			}
			select {
			case <-wait:
			case <-ctx.Done():
				return ctx.Err()
			case <-idle.C:
				s.alive()
			}
			continue
		}
		item, err := s.reader.Next(ctx)
		if errors.Is(err, io.EOF) {
			return s.end()
		}
		if err != nil {
			return err
		}
		if err := s.item(&item); err != nil {
			return err
		}
	}
}

// decide says whether windows or readings are written, as soon as that is known: no
// reading is shorter than a window.
func (s *stream) decide() {
	s.meter.mu.Lock()
	window := s.meter.window
	s.meter.mu.Unlock()
	if s.decided || s.interval > 0 && s.interval < time.Second && window == 0 {
		return
	}
	s.decided = true
	if s.interval == 0 || s.interval < window-window/8 {
		return
	}
	sink, err := output.NewSink(output.JSONL, &s.text, output.Options{})
	if err != nil {
		panic(err) // there are no options to be wrong
	}
	s.jsonl = sink
	s.readings = &measure.Every{Interval: s.interval, Out: s.reading}
}

// header writes what is known of the meter.
func (s *stream) header() error {
	var h record.Header
	h, s.headers, _ = s.meter.Header()
	s.line = record.Line{Kind: record.HeaderLine, Header: h}
	return s.write("header", time.Time{})
}

// item writes what becomes of an item.
func (s *stream) item(i *measure.HubItem) error {
	if i.Mark != nil {
		s.line.Kind, s.line.Mark = record.MarkLine, *i.Mark
		return s.write("mark", time.Time{})
	}
	if i.Event.Kind == meter.WindowEvent {
		// It was reached, or there is another one in its place.
		if _, n, _ := s.meter.Header(); n != s.headers {
			if err := s.header(); err != nil {
				return err
			}
		}
		s.decide()
	}
	if s.readings != nil {
		return s.readings.Event(&i.Event)
	}
	s.line.Kind, s.line.Event = record.EventLine, i.Event
	switch e := &i.Event; e.Kind {
	case meter.WindowEvent:
		return s.write("reading", e.Window.End)
	case meter.GapEvent:
		return s.write("gap", e.Gap.To)
	}
	return s.write("status", time.Time{})
}

// reading writes what an Every hands on.
func (s *stream) reading(e *measure.Event) error {
	s.text.Reset()
	if err := s.jsonl.Event(e); err != nil {
		return err
	}
	var id time.Time
	switch e.Kind {
	case measure.ReadingEvent:
		id = e.Reading.End
	case measure.GapEvent:
		id = e.Gap.To
	}
	s.put(e.Kind.String(), id)
	return nil
}

// write writes the line of a recording.
func (s *stream) write(kind string, id time.Time) error {
	s.text.Reset()
	b, err := s.line.Append(s.text.AvailableBuffer())
	if err != nil {
		return err
	}
	s.text.Write(b)
	s.put(kind, id)
	return nil
}

// put puts the text, a line, to the lines that wait. Where id is not zero it is up
// to when a reader that comes back has all.
func (s *stream) put(kind string, id time.Time) {
	if !s.sse {
		s.lines.Write(s.text.Bytes())
		return
	}
	s.lines.WriteString("event: " + kind + "\n")
	if !id.IsZero() {
		b, _ := record.Seconds{Time: id}.MarshalJSON() // it never fails
		s.lines.WriteString("id: ")
		s.lines.Write(b)
		s.lines.WriteByte('\n')
	}
	s.lines.WriteString("data: ")
	s.lines.Write(s.text.Bytes())
	s.lines.WriteByte('\n')
}

// alive shows that the connection lives.
func (s *stream) alive() {
	if s.sse {
		s.lines.WriteString(":\n\n")
	} else {
		s.lines.WriteByte('\n')
	}
}

// end writes what is unfinished.
func (s *stream) end() error {
	if s.readings != nil {
		if err := s.readings.End(); err != nil {
			return err
		}
	}
	return s.flush()
}

// flush writes the lines that wait.
func (s *stream) flush() error {
	// Not all writers have deadlines; those of connections do.
	_ = s.control.SetWriteDeadline(time.Now().Add(stuck))
	_, err := s.out.Write(s.lines.Bytes())
	s.lines.Reset()
	if err != nil {
		return err
	}
	return s.control.Flush()
}
