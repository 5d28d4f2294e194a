package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"powerspy2/internal/serve/api"
	"powerspy2/internal/serve/page"
	"powerspy2/meter"
	"powerspy2/record"
)

// routes returns what answers requests.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", page.Handler())
	mux.HandleFunc("GET "+api.Meters, s.listMeters)
	mux.HandleFunc("GET "+api.Clock, s.clock)
	mux.HandleFunc("GET "+api.OpenAPI, s.describeAPI)
	mux.HandleFunc("GET "+api.Healthy, s.healthy)
	mux.HandleFunc("GET "+api.Ready, s.ready)
	mux.HandleFunc("GET "+api.Meters+"/{meter}/events", s.ofMeter(s.events))
	mux.HandleFunc("GET "+api.Meters+"/{meter}/energy", s.ofMeter(s.energy))
	mux.HandleFunc("GET "+api.Meters+"/{meter}/marks", s.ofMeter(s.listMarks))
	mux.HandleFunc("POST "+api.Meters+"/{meter}/marks", s.ofMeter(s.setMark))
	for pattern, h := range s.config.Handlers {
		mux.Handle(pattern, h)
	}
	return unknown(mux)
}

// unknown answers in the API's way requests that nothing of the mux is for.
func unknown(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		var a answer
		h.ServeHTTP(&a, r)
		if allow := a.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			refuse(w, http.StatusMethodNotAllowed, fmt.Sprintf("%s is not possible here, but %s", method(r), allow))
			return
		}
		refuse(w, http.StatusNotFound, "there is nothing at this path; the API is described at "+api.OpenAPI)
	})
}

// method returns the method of a request where it is one that has a name.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodOptions:
		return r.Method
	}
	return "this method"
}

// An answer keeps the headers of one.
type answer struct{ header http.Header }

func (a *answer) Header() http.Header {
	if a.header == nil {
		a.header = make(http.Header)
	}
	return a.header
}
func (a *answer) Write(p []byte) (int, error) { return len(p), nil }
func (a *answer) WriteHeader(int)             {}

// ofMeter returns a handler of what is about one meter.
func (s *Server) ofMeter(handle func(http.ResponseWriter, *http.Request, *Meter)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		m := s.byName[r.PathValue("meter")]
		if m == nil {
			refuse(w, http.StatusNotFound, "no meter of this name is served; they are listed at "+api.Meters)
			return
		}
		handle(w, r, m)
	}
}

// reply writes an answer as JSON.
func reply(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		status = http.StatusInternalServerError
		b.Reset()
		b.WriteString(`{"error":"the answer can't be written"}` + "\n")
	}
	h := w.Header()
	h.Set("Content-Type", api.JSON)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // who asked may be gone
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, status int, sentence string) {
	reply(w, status, api.Error{Error: sentence})
}

func (s *Server) listMeters(w http.ResponseWriter, _ *http.Request) {
	list := make([]api.Meter, len(s.meters))
	for i, m := range s.meters {
		list[i] = m.describe()
	}
	reply(w, http.StatusOK, list)
}

// describe returns what the API says of a meter.
func (m *Meter) describe() api.Meter {
	h, _, known := m.Header()
	m.mu.Lock()
	defer m.mu.Unlock()
	d := api.Meter{
		Name: m.config.Name, Device: h.Meter.Device, Simulated: m.config.Target.Kind == meter.Simulated,
		State: m.state, Reason: m.reason, Since: record.Seconds{Time: m.since},
	}
	if m.reading != nil {
		d.LastReading = bytes.Clone(m.reading)
	}
	if m.window > 0 {
		length := m.window.Seconds()
		d.Window = &length
	}
	if !known {
		return d
	}
	if a := h.Meter.Address; !a.IsZero() {
		text := a.String()
		d.Address = &text
	}
	generation := h.Info().Identity.Generation().String()
	d.Generation = &generation
	d.Serial, d.Hardware, d.Firmware = &h.Meter.Serial, &h.Meter.Hardware, &h.Meter.Firmware
	c := &api.Calibration{EEPROM: &h.Meter.Calibrations}
	if cal, factory, err := h.Meter.Calibrations.InForce(); err == nil {
		c.Date, c.Voltage, c.Current, c.Factory = cal.Date.String(), cal.Voltage, cal.Current, factory
	}
	d.Calibration = c
	return d
}

func (s *Server) clock(w http.ResponseWriter, _ *http.Request) {
	receive := record.Seconds{Time: time.Now()}
	transmit := record.Seconds{Time: time.Now()}
	reply(w, http.StatusOK, api.Time{Time: transmit, Receive: receive, Transmit: transmit, Boot: s.boot, Instance: s.instance})
}

// healthy says that the server works, whatever meters do.
func (s *Server) healthy(w http.ResponseWriter, _ *http.Request) {
	select {
	case <-s.ending:
		refuse(w, http.StatusServiceUnavailable, "the server is ending")
	default:
		reply(w, http.StatusOK, map[string]string{"status": "healthy"})
	}
}

// ready says whether all meters measure.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	var missing []string
	for _, m := range s.meters {
		switch state, reason := m.State(); state {
		case api.Connecting:
			missing = append(missing, m.Name()+" is being connected to")
		case api.Away:
			missing = append(missing, m.Name()+" is away: "+reason)
		}
	}
	if missing != nil {
		refuse(w, http.StatusServiceUnavailable, strings.Join(missing, "; "))
		return
	}
	reply(w, http.StatusOK, map[string]string{"status": "ready"})
}

// parseMoment reads a moment: UNIX seconds, RFC 3339, or now.
func parseMoment(text string) (time.Time, error) {
	if text == "now" {
		return time.Now(), nil
	}
	var s record.Seconds
	if err := s.UnmarshalJSON([]byte(text)); err == nil {
		return s.Time, nil
	}
	// The + of an offset is a space where it is not escaped.
	if i := len(text) - len(" 00:00"); i > 0 && text[i] == ' ' {
		text = text[:i] + "+" + text[i+1:]
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, errors.New("not a moment: give UNIX seconds, RFC 3339 such as 2026-03-04T05:06:07Z, or now")
	}
	return t, nil
}
