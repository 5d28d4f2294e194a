package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"sync"
	"time"

	"powerspy2/internal/harmless"
	"powerspy2/internal/serve/api"
	"powerspy2/measure"
	"powerspy2/record"
)

// A byMark is a mark, and who set it.
type byMark struct {
	measure.Mark
	by string
}

// marks are those of a meter, in the order in which they came.
type marks struct {
	mu   sync.Mutex
	list []byMark
}

const (
	// maxMarks is how many are remembered: those before go first.
	maxMarks = 10000

	// marksAtOnce is how many may come at once, and marksASecond how many more in
	// each second.
	marksAtOnce  = 1000
	marksASecond = 20
)

func (l *marks) add(m byMark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) >= maxMarks {
		l.list = slices.Delete(l.list, 0, len(l.list)-maxMarks+1)
	}
	l.list = append(l.list, m)
}

// after returns those of a moment or later, in the order of their times.
func (l *marks) after(from time.Time) []byMark {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []byMark
	for _, m := range l.list {
		if !m.Time.Before(from) {
			found = append(found, m)
		}
	}
	slices.SortStableFunc(found, func(a, b byMark) int { return a.Time.Compare(b.Time) })
	return found
}

const (
	// maxMark bounds the body of a request that sets a mark, in bytes.
	maxMark = 4 << 10

	// early is by how much a mark may be in the future, by another clock.
	early = time.Second
)

// listMarks answers with the marks of a moment and later ones.
func (s *Server) listMarks(w http.ResponseWriter, r *http.Request, m *Meter) {
	var from time.Time
	if text := r.URL.Query().Get("from"); text != "" {
		var err error
		if from, err = parseMoment(text); err != nil {
			refuse(w, http.StatusBadRequest, "from: "+err.Error())
			return
		}
	}
	list := []api.Mark{}
	for _, k := range m.marks.after(from) {
		list = append(list, k.json())
	}
	reply(w, http.StatusOK, list)
}

func (m *byMark) json() api.Mark {
	return api.Mark{Time: record.Seconds{Time: m.Time}, Name: m.Name, End: m.End, By: m.by}
}

// setMark sets a mark.
func (s *Server) setMark(w http.ResponseWriter, r *http.Request, m *Meter) {
	now := time.Now()
	by := s.by(r)
	if by == "" {
		refuse(w, http.StatusForbidden, "marks are set through the Unix socket or with a login, so that it is known who set them")
		return
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != api.JSON {
		refuse(w, http.StatusUnsupportedMediaType, "a mark is sent with Content-Type: "+api.JSON)
		return
	}
	var n api.NewMark
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxMark))
	d.DisallowUnknownFields()
	err := d.Decode(&n)
	if err == nil && d.Decode(new(struct{})) != io.EOF {
		err = errors.New("more follows")
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a mark has %d bytes at most", maxMark))
		return
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, `not a mark such as {"name":"load"} or {"end":true}`)
		return
	}
	k := byMark{measure.Mark{Time: now, Name: n.Name, End: n.End}, by}
	if n.Time != nil {
		k.Time = n.Time.Time
	}
	if k.Time.Sub(now) > early {
		refuse(w, http.StatusBadRequest, "time_s is in the future")
		return
	}
	k.Time = m.turns.placed(k.Time, now.Add(early))
	if err := k.Check(); err != nil {
		refuse(w, http.StatusBadRequest, harmless.Text(err.Error()))
		return
	}
	if !m.pace.Allow() {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, fmt.Sprintf("there are more than %d marks a second", marksASecond))
		return
	}
	m.marks.add(k)
	m.hub.Mark(k.Mark)
	reply(w, http.StatusCreated, k.json())
}

// by returns who sent a request; "": nobody knows.
func (s *Server) by(r *http.Request) string {
	if login := loginOf(r); login != "" {
		return login
	}
	if p := peerFrom(r); p.kind == Unix && p.uid >= 0 {
		return s.users.name(p.uid)
	}
	return ""
}
