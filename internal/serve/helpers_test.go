package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/internal/serve/pipetest"
	"powerspy2/measure"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
	"powerspy2/powerspy"
)

const window = 20 * time.Millisecond

// lag is how long after its end a window of a liveSource comes.
const lag = 100 * time.Millisecond

// A liveSource yields windows as they end. Its power goes up by a watt from window
// to window, and down to 100 W after a hundred.
type liveSource struct {
	measuretest.Source
	ctx  context.Context
	next time.Time // start of the next window
	n    int
	end  int   // how many windows there are; 0: no end
	err  error // after them
}

func newLiveSource(ctx context.Context) *liveSource { return &liveSource{ctx: ctx, next: time.Now()} }

func (s *liveSource) Next() (meter.Event, error) {
	if s.end > 0 && s.n == s.end {
		return meter.Event{}, s.err
	}
	e := measuretest.Windows(s.next, 1, window, 100+float64(s.n%100))[0]
	s.n++
	s.next = e.Window.End
	select {
	case <-time.After(time.Until(s.next.Add(lag))):
		return e, nil
	case <-s.ctx.Done():
		return meter.Event{}, s.ctx.Err()
	}
}

// Info implements measure.Source.
func (s *liveSource) Info() meter.Info {
	i := s.Source.Info()
	i.Identity = powerspy.Identity{Serial: 4567, Hardware: 3, Firmware: 53}
	return i
}

// live is a meter that measures for ever.
func live(name string) MeterConfig {
	return MeterConfig{
		Name: name, Target: meter.Target{Kind: meter.Simulated},
		Open: func(ctx context.Context, _ func(meter.Status)) (measure.Source, error) {
			return newLiveSource(ctx), nil
		},
	}
}

// A bench is a server that runs, and what speaks to it.
type bench struct {
	*testing.T
	server *Server
	client *http.Client
	stop   func() // and waits
}

// start starts a server on pipes, to be used in a bubble. It ends with the test, or
// with stop.
func start(t *testing.T, c Config) *bench {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	p := pipetest.Listen()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, &Listener{p, Unix}) }()
	transport := &http.Transport{DialContext: p.DialContext, MaxConnsPerHost: 0}
	b := &bench{T: t, server: s, client: &http.Client{Transport: transport}}
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
	})
	t.Cleanup(b.stop)
	synctest.Wait()
	return b
}

// get sends a request, and returns an answer with the status that is expected.
func (b *bench) get(path string, status int, header ...string) *http.Response {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://powerspy"+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	if resp.StatusCode != status {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		b.Fatalf("%s: status %d, want %d: %s", path, resp.StatusCode, status, text)
	}
	return resp
}

// json gets a JSON value.
func (b *bench) json(path string, status int, v any) {
	b.Helper()
	resp := b.get(path, status)
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		b.Errorf("%s: Content-Type %q", path, got)
	}
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		b.Fatalf("%s: %v", path, err)
	}
}

// A lineReader reads a stream line by line.
type lineReader struct {
	*bench
	body io.ReadCloser
	in   *bufio.Reader
}

func (b *bench) lines(path string, header ...string) *lineReader {
	b.Helper()
	resp := b.get(path, http.StatusOK, header...)
	return &lineReader{b, resp.Body, bufio.NewReader(resp.Body)}
}

// next returns the next line that is not blank.
func (r *lineReader) next() string {
	r.Helper()
	for {
		line, err := r.in.ReadString('\n')
		if err != nil {
			r.Fatalf("after %q: %v", line, err)
		}
		if line != "\n" {
			return line
		}
	}
}

// rest returns the lines up to the end of the stream.
func (r *lineReader) rest() []string {
	r.Helper()
	var lines []string
	for {
		line, err := r.in.ReadString('\n')
		if err == io.EOF && line == "" {
			return lines
		}
		if err != nil {
			r.Fatalf("after %q: %v", line, err)
		}
		if line != "\n" {
			lines = append(lines, line)
		}
	}
}
