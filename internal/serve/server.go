package serve

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"powerspy2/internal/serve/api"
	"powerspy2/measure"
)

// A Config says what is served.
type Config struct {
	// Meters are those to measure, each with a name of its own.
	Meters []MeterConfig

	// Keep is for how long events are remembered. 0: an hour.
	Keep time.Duration

	// Tool is the version of the program, for what is stored.
	Tool string

	// Host is the name of this machine; may be empty.
	Host string

	// AllowedHosts are names that requests over TCP may be for, besides those of
	// this machine's loopback and the addresses that are listened on.
	AllowedHosts []string

	// Web is who is let in over TCP; nil: everybody.
	Web *WebConfig

	// MaxReaders bounds how many streams of events there are at once; four fifths of
	// them may be of one user or address. 0: 500.
	MaxReaders int

	// Sinks returns what else takes the events of a meter; may be nil. A sink gets
	// all of them, one after the other, and its End when the server ends. It must
	// not block: all readers would wait for it.
	Sinks func(m *Meter) []measure.Sink

	// Handlers answer requests besides those of the API, by pattern (http.ServeMux).
	Handlers map[string]http.Handler

	// Record is the directory in which recordings are kept; empty: none are.
	Record string

	// Claim keeps others away from a file of a recording: see record.FileConfig.
	Claim func(key string) (release func() error, err error)

	// Log is told what a person should know, in a line; may be nil.
	Log func(line string)
}

const (
	keepUsually    = time.Hour
	readersUsually = 500
)

// A Server measures with meters, and serves what they measure.
type Server struct {
	config  Config
	meters  []*Meter
	byName  map[string]*Meter
	handler http.Handler // the API, without what guards it from the network
	web     atomic.Pointer[WebConfig]
	doorman *doorman
	guests  crowd // connections
	readers crowd // streams of events
	users   userNames
	ending  chan struct{} // closed when the server is to end

	boot, instance string // see api.Time
}

// New returns a server. Nothing is opened yet.
func New(c Config) (*Server, error) {
	if c.Keep == 0 {
		c.Keep = keepUsually
	}
	if c.MaxReaders == 0 {
		c.MaxReaders = readersUsually
	}
	if c.Log == nil {
		c.Log = func(string) {}
	}
	s := &Server{config: c, byName: make(map[string]*Meter), doorman: newDoorman(), ending: make(chan struct{})}
	s.boot, s.instance = api.BootID(), rand.Text()
	s.web.Store(c.Web)
	s.guests.most, s.guests.mostOfOne = maxGuests, maxOfOne
	s.readers.most, s.readers.mostOfOne = c.MaxReaders, ofOne(c.MaxReaders)
	for _, mc := range c.Meters {
		if s.byName[mc.Name] != nil {
			return nil, fmt.Errorf("two meters are called %q", mc.Name)
		}
		m := newMeter(mc, c.Keep, c.Tool, c.Log)
		if c.Sinks != nil {
			m.feed.sinks = append(m.feed.sinks, c.Sinks(m)...)
		}
		s.meters = append(s.meters, m)
		s.byName[mc.Name] = m
	}
	s.handler = s.routes()
	return s, nil
}

// Meters returns the meters, in the order of Config.
func (s *Server) Meters() []*Meter { return s.meters }

const (
	// lastWords is how long, after the end of the context, meters get to stop
	// before the streams of readers end without their last windows.
	lastWords = 1500 * time.Millisecond

	// farewell is how long readers get to read the end of their streams.
	farewell = time.Second
)

// Reload takes another web configuration, for connections and requests from now on;
// readers are not cut. What is not allowed at the start is refused, too, and
// nothing changes: errors are those of [WebConfig.Guards], and that TLS came or went.
func (s *Server) Reload(w *WebConfig, listeners ...*Listener) error {
	if w.secure() != s.web.Load().secure() {
		return errors.New("TLS is switched on or off with a new start only")
	}
	for _, l := range listeners {
		if err := w.Guards(l.Kind); err != nil {
			return err
		}
	}
	s.web.Store(w)
	return nil
}

// listener returns a listener as it is served.
func (s *Server) listener(l *Listener) net.Listener {
	d := &door{l, &s.guests}
	if l.Kind == Unix || !s.web.Load().secure() {
		return d
	}
	return tls.NewListener(d, &tls.Config{
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.web.Load().tls, nil },
	})
}

// Run measures, and serves listeners, which it closes, until ctx ends: then meters
// are stopped, and readers get the end of their streams. The error is that of a
// listener which failed, or of [WebConfig.Guards].
func (s *Server) Run(ctx context.Context, listeners ...*Listener) error {
	for _, l := range listeners {
		if err := s.web.Load().Guards(l.Kind); err != nil {
			for _, l := range listeners {
				_ = l.Close() // nothing came from it
			}
			return fmt.Errorf("listen on %s: %w", l, err)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	disks, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	recorded := s.record(disks)
	var measuring sync.WaitGroup
	for _, m := range s.meters {
		measuring.Go(func() { m.run(ctx) })
	}
	server := s.httpServer()
	failed := make(chan error, len(listeners))
	var serving sync.WaitGroup
	for _, l := range listeners {
		serving.Go(func() {
			if err := server.Serve(s.listener(l)); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve %s: %w", l, err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		cancel()
	}
	close(s.ending)
	stopped := make(chan struct{})
	go func() {
		measuring.Wait()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(lastWords):
	}
	for _, m := range s.meters {
		m.end()
	}
	shutdown, done := context.WithTimeout(context.Background(), farewell)
	defer done()
	if server.Shutdown(shutdown) != nil {
		_ = server.Close() // what is left does not read
	}
	serving.Wait()
	measuring.Wait()
	select {
	case <-recorded:
	case <-time.After(farewell): // a disk does not answer
	}
	return err
}

// record begins to record, where that is wanted, and returns what is closed when all
// is on disk.
func (s *Server) record(ctx context.Context) (done <-chan struct{}) {
	closed := make(chan struct{})
	var recording sync.WaitGroup
	if s.config.Record != "" {
		for _, m := range s.meters {
			r := &recorder{meter: m, dir: s.config.Record, claim: s.config.Claim, log: s.config.Log}
			in := m.hub.Reader(time.Time{})
			recording.Go(func() { r.run(ctx, in) })
		}
	}
	go func() {
		recording.Wait()
		close(closed)
	}()
	return closed
}

// Readers returns how many streams of events there are.
func (s *Server) Readers() int { return s.readers.count() }

// Silent returns for how long nothing has happened at the meter that is silent for
// longest: no window, no step of setting up or of a recovery.
func (s *Server) Silent() time.Duration {
	var longest time.Duration
	for _, m := range s.meters {
		m.mu.Lock()
		longest = max(longest, time.Since(m.heard))
		m.mu.Unlock()
	}
	return longest
}
