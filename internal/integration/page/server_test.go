// Package page_test looks at the live page of `powerspy serve` in a real browser.
package page_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"powerspy2/internal/integration/browser"
	"powerspy2/internal/serve"
	"powerspy2/measure"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
)

func TestMain(m *testing.M) { os.Exit(browser.Main(m)) }

const (
	window = 100 * time.Millisecond
	past   = time.Hour // what has been measured before a server starts
	peak   = 300.0     // W, of one window
	peakAt = 40 * time.Minute
)

// A lamp is a meter that has measured for some time when it is opened, and has gaps
// on command.
type lamp struct {
	measuretest.Source
	ctx   context.Context
	watts float64
	next  time.Time // start of the next window
	peak  time.Time
	gaps  <-chan time.Duration
}

func (l *lamp) Next() (meter.Event, error) {
	select {
	case d := <-l.gaps:
		g := meter.Gap{From: l.next, To: l.next.Add(d), Windows: int(d / window), Reason: "the link <b>was</b> lost"}
		l.next = g.To
		return meter.Event{Kind: meter.GapEvent, Gap: g}, nil
	default:
	}
	watts := l.watts + float64(l.next.UnixMilli()/1000%5)
	if !l.peak.Before(l.next) && l.peak.Before(l.next.Add(window)) {
		watts = peak
	}
	e := measuretest.Windows(l.next, 1, window, watts)[0]
	e.Window.Frequency = 50
	l.next = e.Window.End
	select {
	case <-time.After(time.Until(l.next)):
		return e, nil
	case <-l.ctx.Done():
		return meter.Event{}, l.ctx.Err()
	}
}

// A bench is a server, and what its meters are told.
type bench struct {
	t       *testing.T
	address string
	gaps    map[string]chan time.Duration
	began   time.Time
	stop    func() // and waits
}

// start starts a server with meters at an address of the loopback.
func start(t *testing.T, address string, past time.Duration, web *serve.WebConfig, names ...string) *bench {
	t.Helper()
	b := &bench{t: t, gaps: map[string]chan time.Duration{}, began: time.Now()}
	c := serve.Config{Web: web, Keep: time.Hour + time.Minute}
	for i, name := range names {
		gaps := make(chan time.Duration, 1)
		b.gaps[name] = gaps
		c.Meters = append(c.Meters, serve.MeterConfig{
			Name: name, Target: meter.Target{Kind: meter.Simulated},
			Open: func(ctx context.Context, _ func(meter.Status)) (measure.Source, error) {
				return &lamp{ctx: ctx, watts: 60 + 100*float64(i), next: b.began.Add(-past), peak: b.began.Add(-peakAt), gaps: gaps}, nil
			},
		})
	}
	s, err := serve.New(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	b.address = l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, &serve.Listener{Listener: l, Kind: serve.Loopback}) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

func (b *bench) url() string { return "http://" + b.address + "/" }

const password = "correct horse"

// withLogin is a web configuration that lets in a user, alice.
func withLogin(t *testing.T) *serve.WebConfig {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(path, []byte("basic_auth_users:\n  alice: "+string(hash)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := serve.LoadWebConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	return w
}
