package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/internal/output"
	"powerspy2/internal/serve/pipetest"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

// tape keeps the events of a meter.
type tape struct{ events []meter.Event }

func (t *tape) Event(e *meter.Event) error { t.events = append(t.events, *e); return nil }
func (t *tape) End() error                 { return nil }

// alone returns the lines that a measurement of an interval by itself would have
// got of events; 0: those of a recording.
func alone(t *testing.T, interval time.Duration, events []meter.Event) []string {
	t.Helper()
	var text bytes.Buffer
	if interval == 0 {
		for i := range events {
			b, err := (&record.Line{Kind: record.EventLine, Event: events[i]}).Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(b)
		}
	} else {
		sink, err := output.NewSink(output.JSONL, &text, output.Options{})
		if err != nil {
			t.Fatal(err)
		}
		every := &measure.Every{Interval: interval, Out: sink.Event}
		for i := range events {
			if err := every.Event(&events[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := every.End(); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.SplitAfter(text.String(), "\n")
	return lines[:len(lines)-1]
}

// A hundred readers of five intervals each get what a measurement by itself would
// have got. One that has stopped reading gets a gap when it goes on, and takes nothing
// from the others.
func TestHundredReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var whole tape
		b := start(t, Config{
			Meters: []MeterConfig{live("sim")}, Keep: 5 * time.Second,
			Sinks: func(*Meter) []measure.Sink { return []measure.Sink{&whole} },
		})
		intervals := []time.Duration{0, window, 200 * time.Millisecond, time.Second, 10 * time.Second}
		path := func(d time.Duration) string {
			if d == 0 {
				return "/api/v1/meters/sim/events"
			}
			return "/api/v1/meters/sim/events?interval=" + d.String()
		}
		got := make([][]string, 100)
		var reading sync.WaitGroup
		for i := range got {
			r := b.lines(path(intervals[i%len(intervals)]))
			reading.Go(func() { got[i] = r.rest() })
		}
		stopped := b.lines(path(0))
		if h := stopped.next(); !strings.HasPrefix(h, `{"type":"header"`) {
			t.Errorf("the stream begins with %s", h)
		}
		time.Sleep(15 * time.Second)
		var before, gaps, missed, windows int
		for {
			var l record.Line
			if _, err := l.Parse([]byte(stopped.next())); err != nil {
				t.Fatal(err)
			}
			if l.Event.Kind == meter.GapEvent {
				if l.Event.Gap.Reason != measure.TooSlow {
					t.Errorf("the reason is %q", l.Event.Gap.Reason)
				}
				gaps++
				before, missed = windows, l.Event.Gap.Windows
			}
			if l.Event.Kind == meter.WindowEvent {
				if windows++; gaps > 0 && windows == before+100 {
					break
				}
			}
		}
		if gaps != 1 || missed < 200 {
			t.Errorf("%d gaps of %d windows", gaps, missed)
		}
		stopped.body.Close()
		b.stop()
		reading.Wait()
		if n := len(whole.events); n < 700 {
			t.Fatalf("%d windows were measured", n)
		}
		for i, lines := range got {
			interval := intervals[i%len(intervals)]
			// The provisional header, and that of the meter.
			if len(lines) < 2 || !strings.Contains(lines[0], `"serial":0`) || !strings.Contains(lines[1], `"serial":4567`) {
				t.Fatalf("%v: it begins with %.200q", interval, lines[:min(2, len(lines))])
			}
			want := alone(t, interval, whole.events)
			if !slices.Equal(want, lines[2:]) {
				t.Fatalf("%v (-alone +got):\n%.2000s", interval, cmp.Diff(want, lines[2:]))
			}
		}
	})
}

// A reader that does not go on is let go.
func TestStuckReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Config{Meters: []MeterConfig{live("sim")}, Keep: 10 * time.Second})
		gone := b.lines("/api/v1/meters/sim/events")
		time.Sleep(stuck / 2)
		if n := b.server.Readers(); n != 1 {
			t.Errorf("%d readers, want 1", n)
		}
		time.Sleep(stuck)
		if n := b.server.Readers(); n != 0 {
			t.Errorf("%d readers, want none", n)
		}
		gone.body.Close()
	})
}

// from begins in the past; the events of SSE say where to go on.
func TestEventsFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Config{Meters: []MeterConfig{live("sim")}})
		begin := time.Now()
		time.Sleep(10 * time.Second)
		for _, from := range []string{
			fmt.Sprintf("%d.000000000", begin.Unix()+5), begin.Add(5 * time.Second).UTC().Format(time.RFC3339),
		} {
			r := b.lines("/api/v1/meters/sim/events?interval=1s&from=" + from)
			r.next()
			var l record.Line
			if _, err := l.Parse([]byte(r.next())); err != nil {
				t.Fatal(err)
			}
			if at := l.Event.Window.Start.Sub(begin); at != 5*time.Second {
				t.Errorf("from %s: the first reading begins after %v", from, at)
			}
			r.body.Close()
		}
		r := b.lines("/api/v1/meters/sim/events?from=0", "Accept", "text/event-stream")
		for _, want := range []string{"event: header\n", "data: {", "event: reading\n"} {
			if got := r.next(); !strings.HasPrefix(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		id := strings.TrimSpace(strings.TrimPrefix(r.next(), "id: "))
		first := r.next()
		r.body.Close()
		r = b.lines("/api/v1/meters/sim/events?from=0", "Accept", "text/event-stream", "Last-Event-ID", id)
		var again string
		for again == "" || !strings.HasPrefix(again, `data: {"type":"reading"`) {
			again = r.next()
		}
		r.body.Close()
		if first == again || !strings.Contains(again, `"start_s":`+id) {
			t.Errorf("after %s comes\n%s", first, again)
		}
	})
}

// A meter that is away at first, or goes, takes its stream along: it stays open, tells
// what is going on, and has a gap.
func TestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := 0
		c := live("lab/meter 1")
		c.Open = func(ctx context.Context, report func(meter.Status)) (measure.Source, error) {
			opened++
			report(meter.Status{Time: time.Now(), Phase: meter.Connecting, Text: "connecting"})
			if opened <= 3 {
				return nil, errors.New("no meter found")
			}
			s := newLiveSource(ctx)
			if opened == 4 {
				s.end, s.err = 250, errors.New("the link\x1b broke")
			}
			return s, nil
		}
		b := start(t, Config{Meters: []MeterConfig{c, live("other")}})
		const events = "/api/v1/meters/lab%2Fmeter%201/events"
		r := b.lines(events + "?interval=1s")
		lines := make(chan []string, 1)
		go func() { lines <- r.rest() }()
		var e struct{ Error string }
		b.json("/-/ready", http.StatusServiceUnavailable, &e)
		if want := "lab/meter 1 is away: no meter found; other is being connected to"; e.Error != want {
			t.Errorf("it is not ready because %q, want %q", e.Error, want)
		}
		b.json("/-/healthy", http.StatusOK, &struct{}{})
		time.Sleep(20 * time.Second)
		b.json("/-/ready", http.StatusOK, &struct{}{})
		b.stop()
		var kinds []string
		for _, line := range <-lines {
			kind := strings.Split(line, `"`)[3]
			if n := len(kinds); n == 0 || kinds[n-1] != kind {
				kinds = append(kinds, kind)
			}
			if kind == "gap" && !strings.Contains(line, `"reason":"the link\\x1b broke"`) {
				t.Errorf("the gap is %s", line)
			}
		}
		// The last reading before the gap comes with it.
		want := []string{"header", "status", "header", "reading", "status", "gap", "reading"}
		if diff := cmp.Diff(want, kinds); diff != "" {
			t.Errorf("unexpected lines (-want +got):\n%s", diff)
		}
	})
}

// A stream without news shows that it lives, for longer than any other request may
// take.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := live("sim")
		c.Open = func(ctx context.Context, _ func(meter.Status)) (measure.Source, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		b := start(t, Config{Meters: []MeterConfig{c}})
		for _, accept := range []string{"application/jsonl", "text/event-stream"} {
			resp := b.get("/api/v1/meters/sim/events", http.StatusOK, "Accept", accept)
			if got := resp.Header.Get("Content-Type"); got != accept {
				t.Errorf("Content-Type %q, want %q", got, accept)
			}
			begin := time.Now()
			var text []byte
			buf := make([]byte, 4096)
			for time.Since(begin) < 2*time.Minute {
				n, err := resp.Body.Read(buf)
				if err != nil {
					t.Fatalf("after %v: %v", time.Since(begin), err)
				}
				text = append(text, buf[:n]...)
			}
			resp.Body.Close()
			blank := bytes.Count(text, []byte("\n")) - 1
			if accept == "text/event-stream" {
				blank = bytes.Count(text, []byte(":\n\n"))
			}
			if blank < 20 || blank > 25 {
				t.Errorf("%s: %d signs of life in two minutes", accept, blank)
			}
		}
	})
}

// There are only so many readers; one that leaves makes room.
func TestTooManyReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Config{Meters: []MeterConfig{live("sim")}, MaxReaders: 2})
		const path = "/api/v1/meters/sim/events"
		one, two := b.lines(path), b.lines(path)
		resp := b.get(path, http.StatusServiceUnavailable)
		text, err := io.ReadAll(resp.Body)
		if err != nil || !strings.Contains(string(text), "there are 2 readers already") || resp.Header.Get("Retry-After") == "" {
			t.Errorf("got %s, %v, %v", text, resp.Header, err)
		}
		one.body.Close()
		time.Sleep(time.Second)
		b.lines(path).body.Close()
		two.body.Close()
	})
}

// One user, or one address, does not keep all others out.
func TestTooManyReadersOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Config{Meters: []MeterConfig{live("sim")}, MaxReaders: 5, AllowedHosts: []string{"powerspy"}})
		p := pipetest.Listen()
		server := b.server.httpServer()
		served := make(chan error, 1)
		go func() { served <- server.Serve(&door{&Listener{p, Loopback}, &b.server.guests}) }()
		transport := &http.Transport{DialContext: p.DialContext}
		other := &bench{T: t, client: &http.Client{Transport: transport}}
		const path = "/api/v1/meters/sim/events"
		refused := func(b *bench, want string) {
			t.Helper()
			resp := b.get(path, http.StatusServiceUnavailable)
			defer resp.Body.Close()
			if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), want) {
				t.Errorf("got %s, %v", text, err)
			}
		}
		var readers []*lineReader
		for range 4 {
			readers = append(readers, b.lines(path))
		}
		refused(b, "there are 4 readers of this user or address already")
		readers = append(readers, other.lines(path))
		refused(other, "there are 5 readers already")
		for _, r := range readers {
			r.body.Close()
		}
		transport.CloseIdleConnections()
		server.Close()
		<-served
	})
}

// The server ends at once whoever does not read, and those who do get their streams
// whole.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Config{Meters: []MeterConfig{live("a"), live("b")}})
		r := b.lines("/api/v1/meters/a/events?interval=1s")
		stuck := b.lines("/api/v1/meters/b/events")
		time.Sleep(10*time.Second + lag)
		lines := make(chan []string)
		go func() { lines <- r.rest() }()
		begin := time.Now()
		b.stop()
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		all := <-lines
		if last := all[len(all)-1]; !strings.HasPrefix(last, `{"type":"reading"`) || len(all) < 12 {
			t.Errorf("%d lines, the last one is %s", len(all), last)
		}
		stuck.body.Close()
	})
}
