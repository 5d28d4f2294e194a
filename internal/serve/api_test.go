package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"powerspy2/internal/serve/api"
	"powerspy2/measure"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
	"powerspy2/powerspy"
)

// The energy between two moments is that of the windows, waits for the last one, and
// says what is missing.
func TestEnergy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := live("sim")
		c.Open = func(ctx context.Context, _ func(meter.Status)) (measure.Source, error) {
			s := newLiveSource(ctx)
			s.end, s.err = 500, errors.New("the link broke")
			return s, nil
		}
		b := start(t, Config{Meters: []MeterConfig{c}})
		begin := time.Now()
		at := func(d time.Duration) string {
			return url.QueryEscape(begin.Add(d).Format(time.RFC3339Nano))
		}
		time.Sleep(5 * time.Second)
		const path = "/api/v1/meters/sim/energy?from="
		var got api.Span
		// Of 200 windows of 100 W to 199 W.
		b.json(path+at(0)+"&to="+at(4*time.Second), http.StatusOK, &got)
		if math.Abs(*got.Energy-4*149.5) > 1e-9 || got.Coverage != 1 || got.Windows != 200 || *got.PowerMin != 100 || *got.PowerMax != 199 ||
			math.Abs(*got.PowerMean-149.5) > 1e-9 || *got.Uncertainty <= 0 || got.Duration != 4 || len(got.Gaps) != 0 || !got.Start.Equal(begin) {
			t.Errorf("got %+v", got)
		}
		// Now is covered when its window has come.
		asked := time.Now()
		b.json(path+at(4*time.Second), http.StatusOK, &got)
		if waited := time.Since(asked); waited < lag || waited > lag+window || got.Coverage != 1 || !got.End.Equal(asked) {
			t.Errorf("after %v: %+v", waited, got)
		}
		// What never comes is a gap.
		time.Sleep(5*time.Second + lag)
		asked = time.Now()
		b.json(path+at(9*time.Second)+"&to=now", http.StatusOK, &got)
		if waited := time.Since(asked); waited > patience || len(got.Gaps) == 0 || got.Coverage >= 1 || got.Gaps[0].Reason != "the link broke" {
			t.Errorf("after %v: %+v", waited, got)
		}
		// Before anything was measured nothing is known.
		b.json(path+"0&to=10.5", http.StatusOK, &got)
		if got.Energy != nil || got.PowerMean != nil || got.PowerMin != nil || got.Coverage != 0 || got.Duration != 10.5 ||
			len(got.Gaps) != 1 || got.Gaps[0].Reason != "nothing is remembered of it" || got.Gaps[0].End != got.End {
			t.Errorf("got %+v", got)
		}
		for query, want := range map[string]string{
			"":                               "from is missing",
			"yesterday":                      "from: not a moment",
			at(0) + "&to=" + at(time.Hour):   "to is 3589.9 s in the future",
			at(time.Second) + "&to=" + at(0): "to is before from",
			"1e999":                          "from: not a moment",
		} {
			var e api.Error
			b.json(path+query, http.StatusBadRequest, &e)
			if !strings.Contains(e.Error, want) && !strings.Contains(e.Error, "in the future") {
				t.Errorf("%s: %q, want %q", query, e.Error, want)
			}
		}
	})
}

// onSocket serves on a real Unix socket and returns a client for it.
func onSocket(t *testing.T, c Config) (*bench, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := ListenUnix(path, SocketConfig{Group: -1})
	if err != nil {
		t.Fatal(err)
	}
	b := run(t, c, l)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	b.client = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	return b, path
}

// run runs a server until the test ends.
func run(t *testing.T, c Config, listeners ...*Listener) *bench {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, listeners...) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &bench{T: t, server: s}
}

// post sends a body, and returns the status and the answer.
func (b *bench) post(path, mediaType, body string) (int, string) {
	b.Helper()
	resp, err := b.client.Post("http://powerspy"+path, mediaType, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// Marks are set through a Unix socket by somebody who is known, reach all readers, and
// are listed in the order of their times.
func TestMarks(t *testing.T) {
	b, _ := onSocket(t, Config{Meters: []MeterConfig{live("sim")}})
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	const path, js = "/api/v1/meters/sim/marks", "application/json"
	r := b.lines("/api/v1/meters/sim/events?interval=1h")
	defer r.body.Close()
	r.next()
	for _, tt := range []struct {
		mediaType, body string
		status          int
		want            string
	}{
		{js, `{"name":"load"}`, 201, `"name":"load","by":"` + me.Username + `"}`},
		{js + "; charset=utf-8", `{"name":"Grüße <b>","time_s":1000.5}`, 201, `{"time_s":1000.500000000,"name":"Grüße \u003cb\u003e"`},
		{js, `{"end":true}`, 201, `"name":"","end":true`},
		{"text/plain", `{"name":"x"}`, 415, "Content-Type"},
		{"application/x-www-form-urlencoded", `name=x`, 415, "Content-Type"},
		{js, `{"name":"a\u001b[31m"}`, 400, "invisible"},
		{js, `{"name":"` + strings.Repeat("x", 257) + `"}`, 400, "more than 256"},
		{js, `{"name":"` + strings.Repeat("x", 5000) + `"}`, 413, "4096 bytes"},
		{js, `{"name":"x","time_s":8000000000}`, 400, "future"},
		{js, `{"name":"x","end":true}`, 400, "not a name"},
		{js, `{"name":"x","more":1}`, 400, "not a mark"},
		{js, `{"name":"x"}{}`, 400, "not a mark"},
		{js, `{}`, 400, "empty"},
		{js, ``, 400, "not a mark"},
		{"", `{}`, 415, "Content-Type"},
	} {
		status, text := b.post(path, tt.mediaType, tt.body)
		if status != tt.status || !strings.Contains(text, tt.want) {
			t.Errorf("%s %.40s: %d %s, want %d %s", tt.mediaType, tt.body, status, text, tt.status, tt.want)
		}
	}
	var names []string
	for len(names) < 3 {
		line := r.next()
		if strings.HasPrefix(line, `{"type":"mark"`) {
			var m struct{ Name string }
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			names = append(names, m.Name)
		}
	}
	if diff := cmp.Diff([]string{"load", "Grüße <b>", ""}, names); diff != "" {
		t.Errorf("marks of the stream (-want +got):\n%s", diff)
	}
	var list []api.Mark
	b.json(path, 200, &list)
	if len(list) != 3 || list[0].Name != "Grüße <b>" || list[1].Name != "load" || !list[2].End {
		t.Errorf("the marks are %+v", list)
	}
	b.json(path+"?from=2000", 200, &list)
	if len(list) != 2 {
		t.Errorf("the later marks are %+v", list)
	}
}

// Whoever sets marks without end is slowed, before they push what was measured out of
// the memory.
func TestTooManyMarks(t *testing.T) {
	s, err := New(Config{Meters: []MeterConfig{live("sim")}})
	if err != nil {
		t.Fatal(err)
	}
	set := func() int {
		r := httptest.NewRequest("POST", "/api/v1/meters/sim/marks", strings.NewReader(`{"name":"x"}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), peerKey{}, peer{kind: Unix, uid: 0})))
		return w.Code
	}
	done := 0
	for set() == http.StatusCreated {
		done++
	}
	if got := set(); done < marksAtOnce || done > 2*marksAtOnce || got != http.StatusTooManyRequests && got != http.StatusCreated {
		t.Errorf("%d marks were set, then %d", done, got)
	}
}

// An hour's windows, after as many before, take no more memory.
func TestMemory(t *testing.T) {
	s, err := New(Config{Meters: []MeterConfig{live("sim")}, Keep: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	m := s.meters[0]
	at := time.Unix(1772600707, 0)
	hour := func() uint64 {
		for range 60 {
			events := measuretest.Windows(at, 3000, window, 100)
			for i := range events {
				m.up(&events[i].Window)
				m.feed.event(&events[i])
			}
			at = at.Add(time.Minute)
			m.feed.broke("the link broke")
			m.marks.add(byMark{measure.Mark{Time: at, Name: "x"}, "me"})
		}
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	first := hour()
	if second := hour(); second > first+first/5 {
		t.Errorf("%d bytes after an hour, %d after two", first, second)
	}
	if since := m.history.Since(); at.Sub(since) < 5*time.Minute || at.Sub(since) > 6*time.Minute {
		t.Errorf("the last %v are remembered", at.Sub(since))
	}
}

// A meter that hangs is told from one that is away.
func TestSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away, hung := live("away"), live("hung")
		away.Open = func(context.Context, func(meter.Status)) (measure.Source, error) {
			return nil, errors.New("no meter found")
		}
		hung.Open = func(ctx context.Context, _ func(meter.Status)) (measure.Source, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		b := start(t, Config{Meters: []MeterConfig{live("sim"), away}})
		time.Sleep(5 * time.Minute)
		if got := b.server.Silent(); got > time.Minute {
			t.Errorf("silent for %v", got)
		}
		b.stop()
		b = start(t, Config{Meters: []MeterConfig{live("sim"), hung}})
		time.Sleep(10 * time.Minute)
		if got := b.server.Silent(); got != 10*time.Minute {
			t.Errorf("silent for %v", got)
		}
	})
}

// Marks are forgotten before they fill the memory.
func TestMarksAreBounded(t *testing.T) {
	var l marks
	for i := range 2 * maxMarks {
		l.add(byMark{measure.Mark{Time: time.Unix(int64(i), 0), Name: "x"}, "me"})
	}
	all := l.after(time.Time{})
	if len(all) != maxMarks || all[0].Time.Unix() != maxMarks {
		t.Errorf("%d marks, the first one of %v", len(all), all[0].Time.Unix())
	}
}

// What is of no meter, no path or no method is an error of the API's.
func TestUnknown(t *testing.T) {
	s, err := New(Config{Meters: []MeterConfig{live("sim"), live("/dev/rfcomm0")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		method, path string
		status       int
		want, allow  string
	}{
		{"GET", "/api", 404, "/api/v1/openapi.json", ""},
		{"GET", "/api/v1/meters/", 404, "nothing at this path", ""},
		{"GET", "/api/v2/meters", 404, "nothing at this path", ""},
		{"GET", "/api/v1/meters/%3Cscript%3E/energy", 404, "no meter of this name", ""},
		{"GET", "/api/v1/meters/../../../etc/passwd", 404, "nothing at this path", ""},
		{"GET", "//api//v1/time", 307, "/api/v1/time", ""},
		{"POST", "/api/v1/time", 405, "POST is not possible here", "GET, HEAD"},
		{"DELETE", "/api/v1/meters/sim/marks", 405, "DELETE is not possible here", "GET, HEAD, POST"},
		{"EVIL\x1b", "/api/v1/time", 405, "this method is not possible here", "GET, HEAD"},
		{"GET", "/api/v1/meters/%2Fdev%2Frfcomm0/marks", 200, "[]", ""},
		{"HEAD", "/api/v1/meters/sim/marks", 200, "", ""},
		{"HEAD", "/api/v1/meters/sim/events", 200, "", ""},
		{"GET", "/api/v1/meters/sim/events?interval=0s", 400, "interval: ", ""},
		{"GET", "/api/v1/meters/sim/events?interval=25h", 400, "interval: ", ""},
		{"GET", "/api/v1/meters/sim/events?interval=fast", 400, "interval: ", ""},
		{"GET", "/api/v1/meters/sim/events?from=NaN", 400, "from: ", ""},
		{"GET", "/api/v1/meters/sim/marks?from=x", 400, "from: ", ""},
		{"GET", "/api/v1/meters/sim/marks?from=now", 200, "[]", ""},
	} {
		r := httptest.NewRequest("GET", "http://localhost"+tt.path, nil)
		r.Method = tt.method
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		text := w.Body.String()
		if w.Code != tt.status || !strings.Contains(text, tt.want) || w.Header().Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d %s %v, want %d %s", tt.method, tt.path, w.Code, text, w.Header(), tt.status, tt.want)
		}
		if w.Code >= 400 {
			var e api.Error
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Error == "" {
				t.Errorf("%s %s: %v: %s", tt.method, tt.path, err, text)
			}
		}
	}
	if _, err := New(Config{Meters: []MeterConfig{live("a"), live("a")}}); err == nil {
		t.Error("two meters have one name")
	}
}

// A description is what openapi.json says.
type openAPI struct {
	Paths map[string]map[string]json.RawMessage
}

type operation struct {
	Responses map[string]struct {
		Content map[string]struct{ Schema any }
	}
}

// Each path, method and status of the description is what the handlers answer, to the
// last key; and they have no path besides.
func TestDescription(t *testing.T) {
	var doc openAPI
	if err := json.Unmarshal(description, &doc); err != nil {
		t.Fatal(err)
	}
	any, err := jsonschema.UnmarshalJSON(bytes.NewReader(description))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("openapi.json", any); err != nil {
		t.Fatal(err)
	}
	schema := func(at ...string) *jsonschema.Schema {
		t.Helper()
		for i := range at {
			at[i] = strings.NewReplacer("~", "~0", "/", "~1").Replace(at[i])
		}
		s, err := compiler.Compile("openapi.json#/" + strings.Join(at, "/"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	check := func(s *jsonschema.Schema, text []byte, what string) {
		t.Helper()
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err == nil {
			err = s.Validate(v)
		}
		if err != nil {
			t.Errorf("%s: %s\n%v", what, text, err)
		}
	}

	away := live("away")
	away.Open = func(context.Context, func(meter.Status)) (measure.Source, error) {
		return nil, errors.New("no meter found")
	}
	troubled := live("troubled")
	begun := false
	troubled.Open = func(ctx context.Context, report func(meter.Status)) (measure.Source, error) {
		report(meter.Status{Time: time.Now(), Phase: meter.Connecting, Text: "connecting"})
		s := newLiveSource(ctx)
		if !begun {
			begun = true
			s.end, s.err = 30, errors.New("the link broke")
		}
		return s, nil
	}
	b, _ := onSocket(t, Config{Meters: []MeterConfig{live("sim"), away, troubled}, MaxReaders: 2, Host: "lab"})
	lines := b.lines("/api/v1/meters/troubled/events?interval=200ms&from=0")
	defer lines.body.Close()
	const js = "application/json"
	post := func(body, mediaType string) func() (int, string) {
		return func() (int, string) { return b.post("/api/v1/meters/sim/marks", mediaType, body) }
	}
	get := func(path string) func() (int, string) {
		return func() (int, string) {
			resp, err := b.client.Get("http://powerspy" + path)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode, string(text)
		}
	}
	// guarded asks a server whose web configuration has users, over TCP.
	web := testWebConfig(t)
	guarded := func(method, path string, change func(*Server, *http.Request)) func() (int, string) {
		return func() (int, string) {
			s, err := New(Config{Web: web, Meters: []MeterConfig{live("sim")}})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(strings.ToUpper(method), "http://localhost"+strings.ReplaceAll(path, "{meter}", "sim"), nil)
			change(s, r)
			w := httptest.NewRecorder()
			s.httpServer().Handler.ServeHTTP(w, r)
			return w.Code, w.Body.String()
		}
	}
	tests := map[string]func() (int, string){
		"/api/v1/meters get 200":                get("/api/v1/meters"),
		"/api/v1/time get 200":                  get("/api/v1/time"),
		"/api/v1/openapi.json get 200":          get("/api/v1/openapi.json"),
		"/-/healthy get 200":                    get("/-/healthy"),
		"/-/ready get 503":                      get("/-/ready"),
		"/api/v1/meters/{meter}/energy get 200": get("/api/v1/meters/sim/energy?from=now"),
		"/api/v1/meters/{meter}/energy get 400": get("/api/v1/meters/sim/energy"),
		"/api/v1/meters/{meter}/energy get 404": get("/api/v1/meters/x/energy"),
		"/api/v1/meters/{meter}/events get 400": get("/api/v1/meters/sim/events?interval=x"),
		"/api/v1/meters/{meter}/events get 404": get("/api/v1/meters/x/events"),
		"/api/v1/meters/{meter}/marks get 400":  get("/api/v1/meters/sim/marks?from=x"),
		"/api/v1/meters/{meter}/marks get 404":  get("/api/v1/meters/x/marks"),
		"/api/v1/meters/{meter}/marks post 201": post(`{"end":true}`, js),
		"/api/v1/meters/{meter}/marks post 400": post(`{}`, js),
		"/api/v1/meters/{meter}/marks post 404": func() (int, string) { return b.post("/api/v1/meters/x/marks", js, "{}") },
		"/api/v1/meters/{meter}/marks post 413": post(`{"name":"`+strings.Repeat("x", 5000)+`"}`, js),
		"/api/v1/meters/{meter}/marks post 415": post(`{"name":"x"}`, "text/plain"),
		"/api/v1/meters/{meter}/marks get 200":  get("/api/v1/meters/sim/marks"),
		"/-/ready get 200":                      get200Ready(t),
		"/-/healthy get 503":                    ending(t),
		"/api/v1/meters/{meter}/events get 503": func() (int, string) {
			second := b.lines("/api/v1/meters/sim/events")
			defer second.body.Close()
			return get("/api/v1/meters/sim/events")()
		},
	}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if method == "parameters" {
				continue
			}
			// What guards all of them does so in the same way.
			tests[path+" "+method+" 401"] = guarded(method, path, func(*Server, *http.Request) {})
			tests[path+" "+method+" 403"] = guarded(method, path, func(_ *Server, r *http.Request) { r.Host = "evil.example" })
			tests[path+" "+method+" 429"] = guarded(method, path, func(s *Server, r *http.Request) {
				s.doorman.of(addressOf(r)).AllowN(time.Now(), attempts)
				r.SetBasicAuth("alice", "wrong")
			})
			var o operation
			if err := json.Unmarshal(op, &o); err != nil {
				t.Fatal(err)
			}
			for status, response := range o.Responses {
				name := path + " " + method + " " + status
				if name == "/api/v1/meters/{meter}/events get 200" {
					continue // below
				}
				ask := tests[name]
				if ask == nil {
					t.Errorf("%s is described, and nothing here asks for it", name)
					continue
				}
				delete(tests, name)
				got, text := ask()
				if http.StatusText(got) != http.StatusText(atoi(t, status)) {
					t.Errorf("%s: status %d: %s", name, got, text)
				}
				for mediaType := range response.Content {
					check(schema("paths", path, method, "responses", status, "content", mediaType, "schema"), []byte(text), name)
				}
			}
		}
	}
	for name := range tests {
		t.Errorf("%s is answered, and not described", name)
	}

	// Lines of streams, of each type.
	line := schema("components", "schemas", "Line")
	missing := map[string]bool{"header": true, "reading": true, "gap": true, "status": true, "mark": true}
	for len(missing) > 0 {
		text := lines.next()
		check(line, []byte(text), "a line")
		kind := strings.Split(text, `"`)[3]
		delete(missing, kind)
		if kind == "gap" {
			if status, text := b.post("/api/v1/meters/troubled/marks", js, `{"end":true}`); status != 201 {
				t.Fatal(text)
			}
		}
	}
	windows := b.lines("/api/v1/meters/troubled/events?from=0")
	defer windows.body.Close()
	for range 35 {
		check(line, []byte(windows.next()), "a line")
	}
}

func atoi(t *testing.T, s string) (n int) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// get200Ready asks a server whose meter measures whether it is ready.
func get200Ready(t *testing.T) func() (int, string) {
	return func() (int, string) {
		s, err := New(Config{Meters: []MeterConfig{live("sim")}})
		if err != nil {
			t.Fatal(err)
		}
		e := measuretest.Windows(time.Now(), 1, window, 100)[0]
		s.meters[0].up(&e.Window)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, httptest.NewRequest("GET", "/-/ready", nil))
		return w.Code, w.Body.String()
	}
}

// ending asks a server that ends whether it is healthy.
func ending(t *testing.T) func() (int, string) {
	return func() (int, string) {
		s, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		close(s.ending)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, httptest.NewRequest("GET", "/-/healthy", nil))
		return w.Code, w.Body.String()
	}
}

// What the API says of a meter is all that is known of it.
func TestMeters(t *testing.T) {
	b, _ := onSocket(t, Config{Meters: []MeterConfig{live("sim")}, Tool: "test"})
	var list []api.Meter
	for len(list) == 0 || string(list[0].LastReading) == "null" {
		b.json("/api/v1/meters", 200, &list)
		time.Sleep(10 * time.Millisecond)
	}
	m := list[0]
	var reading map[string]any
	if err := json.Unmarshal(m.LastReading, &reading); err != nil {
		t.Fatal(err)
	}
	if keys := slices.Sorted(maps.Keys(reading)); !slices.Contains(keys, "power_W") || reading["type"] != "reading" {
		t.Errorf("the last reading is %s", m.LastReading)
	}
	if m.Name != "sim" || m.State != api.Up || m.Reason != "" || *m.Serial != 4567 || *m.Window != 0.02 || !m.Simulated ||
		m.Calibration.EEPROM == nil || *m.Generation != (&powerspy.Identity{Hardware: 3}).Generation().String() {
		t.Errorf("got %+v", m)
	}
	var now api.Time
	before := time.Now()
	b.json("/api/v1/time", 200, &now)
	if now.Receive.Before(before) || now.Transmit.After(time.Now()) || now.Transmit.Before(now.Receive.Time) {
		t.Errorf("between %v and now the times are %+v", before, now)
	}
}
