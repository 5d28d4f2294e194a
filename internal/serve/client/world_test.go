package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"powerspy2/internal/serve/api"
	"powerspy2/internal/serve/pipetest"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/powerspy"
	"powerspy2/record"
)

// A world is a server with a clock of its own, and the network between it and the
// client. Window k has the power k W, so that it can be told which came.
type world struct {
	t     *testing.T
	begun time.Time

	mu       sync.Mutex
	ahead    time.Duration // its clock at the beginning
	drift    float64       // by how much it is faster
	set      time.Duration // by how much it was set since: windows do not follow
	latency  func() time.Duration
	boot     string
	instance string
	power    func(from, to time.Duration) float64          // mean in W between two times since begun; nil: the number of the window
	first    int                                           // window that it remembers
	last     int                                           // the last window; 0: they go on
	lines    []string                                      // that are told before the next window of each stream
	refuse   bool                                          // connections
	links    map[*link]bool                                // that are open
	meters   []string                                      // their names
	handler  func(http.ResponseWriter, *http.Request) bool // sees requests first
	streams  int                                           // that were begun

	http     *http.Server
	listener *pipetest.Listener
}

const windowLength = 20 * time.Millisecond

// held is for how long a server holds windows back, until it is known well when they
// ended.
const held = 500 * time.Millisecond

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, begun: time.Now(), instance: "1", meters: []string{"bench"},
		links: map[*link]bool{}, latency: func() time.Duration { return 0 },
		listener: pipetest.Listen(),
	}
	w.http = &http.Server{Handler: http.HandlerFunc(w.serve)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = w.http.Serve(w.listener) // ends with an error, always
	}()
	t.Cleanup(func() {
		if err := w.http.Close(); err != nil {
			t.Error(err)
		}
		<-served
		time.Sleep(time.Minute) // of the bubble: what is under way ends
	})
	return w
}

// clock returns the server's clock at a moment, without what it was set by.
func (w *world) clock(at time.Time) time.Time {
	d := at.Sub(w.begun)
	return w.begun.Round(0).Add(w.ahead + d + time.Duration(float64(d)*w.drift))
}

// truth returns when the server's clock, as windows have it, showed a time.
func (w *world) truth(server time.Time) time.Time {
	return w.begun.Add(time.Duration(float64(server.Sub(w.begun.Round(0).Add(w.ahead))) / (1 + w.drift)))
}

// window returns window k.
func (w *world) window(k int) meter.Window {
	start := w.begun.Round(0).Add(w.ahead + time.Duration(k)*windowLength)
	power := float64(k)
	if w.power != nil {
		power = w.power(w.truth(start).Sub(w.begun), w.truth(start.Add(windowLength)).Sub(w.begun))
	}
	return meter.Window{
		Start: start, End: start.Add(windowLength), Length: windowLength, Error: time.Microsecond, Frequency: 50,
		Measurement: powerspy.Measurement{Power: power, Voltage: 230, Current: 1, VoltagePeak: 325, CurrentPeak: 2},
	}
}

func (w *world) do(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	handler := w.handler
	w.mu.Unlock()
	if handler != nil && handler(rw, r) {
		return
	}
	switch {
	case r.URL.Path == api.Clock:
		w.mu.Lock()
		at := seconds(w.clock(time.Now()).Add(w.set))
		boot, instance := w.boot, w.instance
		w.mu.Unlock()
		fmt.Fprintf(rw, `{"time_s":%s,"receive_s":%s,"transmit_s":%s,"boot_id":%q,"instance":%q}`, at, at, at, boot, instance)
	case r.URL.Path == api.Meters:
		list := []api.Meter{}
		w.mu.Lock()
		for _, name := range w.meters {
			list = append(list, api.Meter{Name: name, Device: "sim:", Simulated: true, State: api.Up})
		}
		w.mu.Unlock()
		if err := json.NewEncoder(rw).Encode(list); err != nil {
			w.t.Log(err)
		}
	case strings.HasSuffix(r.URL.Path, "/events"):
		w.events(rw, r)
	default:
		http.NotFound(rw, r)
	}
}

func line(l record.Line) string {
	text, err := l.Append(nil)
	if err != nil {
		panic(err) // the test's own
	}
	return string(text)
}

// events tells windows as they come.
func (w *world) events(rw http.ResponseWriter, r *http.Request) {
	out := &flushed{rw, http.NewResponseController(rw)}
	next := 0
	w.mu.Lock()
	w.streams++
	now := w.clock(time.Now())
	for w.window(next).End.Add(held).Before(now) {
		next++
	}
	if from := r.URL.Query().Get("from"); from != "" {
		s, err := time.ParseDuration(from + "s")
		if err != nil {
			w.t.Error(err)
		}
		next = w.first
		for !w.window(next).End.After(time.Unix(0, int64(s))) {
			next++
		}
	}
	header := record.Header{Start: now, Averaging: 1, Frequency: 50, Tool: "test", Meter: record.Meter{Name: "bench", Device: "sim:", Serial: 4567}}
	told := w.streams
	w.mu.Unlock()
	out.write("\n" + line(record.Line{Kind: record.HeaderLine, Header: header}))
	for idle := time.Duration(0); r.Context().Err() == nil; {
		w.mu.Lock()
		var text string
		if told > 0 && len(w.lines) > 0 {
			text, w.lines = w.lines[0], w.lines[1:]
		} else if win := w.window(next); w.clock(time.Now()).After(win.End.Add(held)) && (w.last == 0 || next <= w.last) {
			text = line(record.Line{Kind: record.EventLine, Event: meter.Event{Kind: meter.WindowEvent, Window: win}})
			next++
		}
		w.mu.Unlock()
		switch {
		case text != "":
			idle = 0
		case idle >= 3*time.Second:
			text, idle = "\n", 0
		default:
			idle += windowLength
			time.Sleep(windowLength)
			continue
		}
		if out.write(text) != nil {
			return
		}
	}
}

type flushed struct {
	w io.Writer
	c *http.ResponseController
}

func (f *flushed) write(text string) error {
	if _, err := io.WriteString(f.w, text); err != nil {
		return err
	}
	return f.c.Flush()
}

// dial connects through the network.
func (w *world) dial(ctx context.Context, _ string) (net.Conn, error) {
	w.mu.Lock()
	refuse := w.refuse
	w.mu.Unlock()
	if refuse {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	here, err := w.listener.DialContext(ctx, "", "")
	if err != nil {
		return nil, err
	}
	void, lid := net.Pipe()
	l := &link{Conn: here, w: w, void: void, lid: lid}
	w.do(func() { w.links[l] = true })
	return l, nil
}

// A link is a connection that the network may lose without telling anybody.
type link struct {
	net.Conn
	w         *world
	void, lid net.Conn    // nothing comes from there
	asked     atomic.Bool // something was sent since the last answer, which is late then
	mu        sync.Mutex
	dead      bool
}

func (l *link) isDead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

func (l *link) Read(p []byte) (int, error) {
	if !l.isDead() {
		n, err := l.Conn.Read(p)
		if !l.isDead() || err != nil {
			if l.asked.Swap(false) {
				time.Sleep(l.w.delay())
			}
			return n, err
		}
	}
	return l.void.Read(p)
}

func (l *link) Write(p []byte) (int, error) {
	if l.isDead() {
		return len(p), nil
	}
	l.asked.Store(true)
	time.Sleep(l.w.delay())
	return l.Conn.Write(p)
}

func (w *world) delay() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latency()
}

func (l *link) SetReadDeadline(t time.Time) error {
	if err := l.void.SetReadDeadline(t); err != nil {
		return err
	}
	return l.Conn.SetReadDeadline(t)
}

func (l *link) Close() error {
	l.w.do(func() { delete(l.w.links, l) })
	_ = l.lid.Close() // a pipe's does not fail
	_ = l.void.Close()
	return l.Conn.Close()
}

// cut ends all connections: at once, or so that nobody is told.
func (w *world) cut(silently bool) {
	w.mu.Lock()
	links := w.links
	w.links = map[*link]bool{}
	w.mu.Unlock()
	for l := range links {
		if silently {
			l.mu.Lock()
			l.dead = true
			l.mu.Unlock()
			_ = l.Conn.Close() // the server gets to know, which does not matter
		} else {
			_ = l.Close()
		}
	}
}

// open opens the source.
func (w *world) open(ctx context.Context, cfg Config) (*Source, error) {
	return open(ctx, cfg, w.client(&cfg))
}

// client returns a client of the server.
func (w *world) client(cfg *Config) *Client {
	if cfg.Server == (meter.Server{}) {
		cfg.Server.URL = "http://server:9000"
	}
	c := New(cfg.Login)
	c.dial = w.dial
	return c
}

// must is open where it has to work.
func (w *world) must(ctx context.Context, cfg Config) *Source {
	w.t.Helper()
	s, err := w.open(ctx, cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// watch reads a source until it ends, or has yielded so many windows, and closes it.
// Windows have to follow on each other, but for gaps.
func (w *world) watch(s *Source, windows int) (events []meter.Event, err error) {
	w.t.Helper()
	var reached time.Time
	n := 0
	for windows == 0 || n < windows {
		var e meter.Event
		if e, err = s.Next(); err != nil {
			break
		}
		events = append(events, e)
		switch e.Kind {
		case meter.WindowEvent:
			if n++; !reached.IsZero() && !e.Window.Start.Equal(reached) || !e.Window.End.After(e.Window.Start) {
				w.t.Errorf("a window from %v to %v comes after %v", e.Window.Start, e.Window.End, reached)
			}
			reached = e.Window.End
		case meter.GapEvent:
			if !reached.IsZero() && !e.Gap.From.Equal(reached) || e.Gap.To.Before(e.Gap.From) {
				w.t.Errorf("a gap from %v to %v comes after %v", e.Gap.From, e.Gap.To, reached)
			}
			reached = e.Gap.To
		}
	}
	if cerr := s.Close(); cerr != nil {
		w.t.Error(cerr)
	}
	return events, err
}

// powers returns which windows there are among events.
func powers(events []meter.Event) []int {
	var list []int
	for _, e := range events {
		if e.Kind == meter.WindowEvent {
			list = append(list, int(e.Window.Power))
		}
	}
	return list
}

// gaps returns the gaps among events.
func gaps(events []meter.Event) []meter.Gap {
	var list []meter.Gap
	for _, e := range events {
		if e.Kind == meter.GapEvent {
			list = append(list, e.Gap)
		}
	}
	return list
}

// statuses returns the texts of statuses among events.
func statuses(events []meter.Event) string {
	var list []string
	for _, e := range events {
		if e.Kind == meter.StatusEvent {
			list = append(list, e.Status.Phase.String()+": "+e.Status.Text)
		}
	}
	return strings.Join(list, "\n")
}

// between returns latencies, which differ between the two ways.
func between(least, most time.Duration) func() time.Duration {
	r := rand.New(rand.NewPCG(1, 2))
	return func() time.Duration { return least + time.Duration(r.Int64N(int64(most-least))) }
}

var _ measure.Source = (*Source)(nil)
