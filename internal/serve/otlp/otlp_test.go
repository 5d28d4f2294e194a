package otlp_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"

	"powerspy2/internal/serve/otlp"
	"powerspy2/internal/serve/totals"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
)

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// patience is how long something that comes within milliseconds is waited for.
const patience = 30 * time.Second

// A receiver takes pushes as a collector does, or refuses them.
type receiver struct {
	status chan int // what is answered next, and from then on
	got    chan push
}

// A push is what came, and to where.
type push struct {
	*collector.ExportMetricsServiceRequest
	path string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	status := <-r.status
	r.status <- status
	if status != http.StatusOK {
		http.Error(w, "no\x1b[31m room\n", status)
		return
	}
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = z
	}
	raw, err := io.ReadAll(body)
	m := new(collector.ExportMetricsServiceRequest)
	if err == nil {
		err = proto.Unmarshal(raw, m)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case r.got <- push{m, req.URL.Path}:
	default:
	}
}

func (r *receiver) answer(status int) {
	<-r.status
	r.status <- status
}

func newReceiver(t *testing.T) (*receiver, string) {
	t.Helper()
	r := &receiver{status: make(chan int, 1), got: make(chan push, 1)}
	r.status <- http.StatusOK
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return r, s.URL
}

// told collects what a person is told.
type told struct {
	mu   sync.Mutex
	list []string
	came chan struct{}
}

func newTold() *told { return &told{came: make(chan struct{}, 100)} }

func (l *told) tell(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, text)
	l.came <- struct{}{}
}

func (l *told) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.list...)
}

// environment sets what pushing depends on, and forgets what this machine has.
func environment(t *testing.T, settings ...string) {
	t.Helper()
	for _, name := range []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
		"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "20")
	for i := 0; i < len(settings); i += 2 {
		t.Setenv(settings[i], settings[i+1])
	}
}

// meters returns one that measured 50 J and one that never was there.
func meters(t *testing.T, away bool) func() []totals.Meter {
	t.Helper()
	there := totals.Meter{Name: "rack 1", Totals: totals.New(), Identity: func() totals.Identity { return totals.Identity{Address: "00:0B:CE:07:1D:32"} }}
	absent := totals.Meter{Name: "b", Totals: totals.New(), Identity: func() totals.Identity { return totals.Identity{} }}
	events := measuretest.Windows(begin, 50, 20*time.Millisecond, 50)
	if away {
		events = append(events, meter.Event{Kind: meter.StatusEvent, Status: meter.Status{Phase: meter.Stalled}})
	}
	for i := range events {
		if err := there.Totals.Event(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	return func() []totals.Meter { return []totals.Meter{there, absent} }
}

// A value is a data point: what it is, of which meter.
type value struct {
	Unit       string
	Value      float64
	Monotonic  bool
	Attributes map[string]string
}

// values returns what a push has, by name.
func values(m push) map[string]value {
	all := make(map[string]value)
	for _, rm := range m.ResourceMetrics {
		for _, sm := range rm.ScopeMetrics {
			for _, metric := range sm.Metrics {
				points, monotonic := metric.GetGauge().GetDataPoints(), false
				if s := metric.GetSum(); s != nil {
					points, monotonic = s.DataPoints, s.IsMonotonic
				}
				for _, p := range points {
					v := value{Unit: metric.Unit, Value: p.GetAsDouble(), Monotonic: monotonic, Attributes: make(map[string]string)}
					for _, a := range p.Attributes {
						v.Attributes[a.Key] = a.Value.GetStringValue()
					}
					all[metric.Name] = v
				}
			}
		}
	}
	return all
}

func receive(t *testing.T, r *receiver) push {
	t.Helper()
	select {
	case m := <-r.got:
		return m
	case <-time.After(patience):
		t.Fatal("nothing was pushed")
		return push{}
	}
}

func start(t *testing.T, cfg otlp.Config) *otlp.Pusher {
	t.Helper()
	p, err := otlp.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = p.Stop(ctx) // what is tested is over
	})
	return p
}

// What is pushed, to the URL of the command line or of the environment.
func TestPush(t *testing.T) {
	which := map[string]string{"hw.id": "00:0B:CE:07:1D:32", "hw.name": "rack 1"}
	energy := value{Unit: "J", Value: 50, Monotonic: true, Attributes: which}
	for _, tt := range []struct {
		name, flag, environment, path string
		away                          bool
		want                          map[string]value
	}{
		{name: "flag", flag: "", path: "/v1/metrics"},
		{name: "flag with a path", flag: "/api/v1/otlp/", path: "/api/v1/otlp/v1/metrics"},
		{name: "flag with the whole path", flag: "/v1/metrics", path: "/v1/metrics"},
		{name: "environment", environment: "OTEL_EXPORTER_OTLP_ENDPOINT", path: "/v1/metrics"},
		{name: "environment of metrics", environment: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", path: "/"},
		{name: "away", path: "/v1/metrics", away: true, want: map[string]value{"hw.host.energy": energy}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, url := newReceiver(t)
			cfg := otlp.Config{Version: "1.2.3", Meters: meters(t, tt.away), Tell: newTold().tell}
			if tt.environment != "" {
				environment(t, tt.environment, url)
			} else {
				environment(t)
				cfg.URL = url + tt.flag
			}
			start(t, cfg)
			m := receive(t, r)
			want := tt.want
			if want == nil {
				want = map[string]value{
					"hw.host.energy": energy,
					"hw.host.power":  {Unit: "W", Value: 50, Attributes: which},
					"hw.voltage":     {Unit: "V", Value: 230, Attributes: which},
				}
			}
			if diff := cmp.Diff(want, values(m), cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })); diff != "" {
				t.Errorf("unexpected push (-want +got):\n%s", diff)
			}
			if m.path != tt.path {
				t.Errorf("pushed to %s, want %s", m.path, tt.path)
			}
			resource := make(map[string]string)
			for _, a := range m.ResourceMetrics[0].Resource.Attributes {
				resource[a.Key] = a.Value.GetStringValue()
			}
			if resource["service.name"] != "powerspy" || resource["service.version"] != "1.2.3" || resource["host.name"] == "" {
				t.Errorf("unexpected resource %v", resource)
			}
		})
	}
}

// A collector that fails is told of once, and once more when it is back.
func TestFailingCollector(t *testing.T) {
	environment(t)
	r, url := newReceiver(t)
	r.answer(http.StatusTeapot)
	said := newTold()
	start(t, otlp.Config{URL: url, Meters: meters(t, false), Tell: said.tell})
	wait := func() {
		t.Helper()
		select {
		case <-said.came:
		case <-time.After(patience):
			t.Fatalf("nothing more was told after %q", said.all())
		}
	}
	wait()
	time.Sleep(200 * time.Millisecond) // some intervals, in which nothing is told
	r.answer(http.StatusOK)
	wait()
	receive(t, r)
	all := said.all()
	if len(all) != 2 || !strings.Contains(all[0], "fails") || !strings.Contains(all[1], "works again") {
		t.Errorf("unexpected words %q", all)
	}
	if !strings.Contains(all[0], `no\x1b[31m room`) {
		t.Errorf("the answer is not told, or not harmless: %q", all[0])
	}
}

// Stop pushes what came last, and does not wait for a collector that hangs.
func TestStop(t *testing.T) {
	environment(t, "OTEL_METRIC_EXPORT_INTERVAL", "3600000")
	r, url := newReceiver(t)
	p := start(t, otlp.Config{URL: url, Meters: meters(t, false), Tell: newTold().tell})
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	receive(t, r)

	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer s.Close()
	defer close(hang)
	said := newTold()
	p = start(t, otlp.Config{URL: s.URL, Meters: meters(t, false), Tell: said.tell})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := p.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) && err != nil {
		t.Errorf("unexpected error: %v", err)
	}
	if ctx.Err() == nil {
		t.Error("a collector that hangs has answered")
	}
}

// Settings that can't be obeyed are errors, or told, and no secret is told.
func TestSettings(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"collector:4318", "http://"},
		{"ftp://collector", "http://"},
		{"http://", "no host"},
		{"http://alice:secret@collector", otlp.ErrUserInfo.Error()},
		{"http://alice:secret@collector:port", "no URL"},
		{"http://collector/?token=secret", "more than"},
	} {
		err := otlp.CheckURL(tt.url)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: unexpected error %v", tt.url, err)
		}
	}
	environment(t, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc")
	if _, err := otlp.Start(t.Context(), otlp.Config{URL: "http://127.0.0.1:1", Meters: meters(t, false)}); err == nil || !strings.Contains(err.Error(), "grpc") {
		t.Errorf("grpc: unexpected error %v", err)
	}
	environment(t, "OTEL_EXPORTER_OTLP_HEADERS", "Authorization secret", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://alice:secret@127.0.0.1:port")
	said := newTold()
	start(t, otlp.Config{Meters: meters(t, false), Tell: said.tell})
	text := strings.Join(said.all(), "\n")
	if strings.Contains(text, "secret") || !strings.Contains(text, "parse headers") || !strings.Contains(text, "parse url") {
		t.Errorf("unexpected words %q", text)
	}
}

func TestWanted(t *testing.T) {
	for _, tt := range []struct {
		environment map[string]string
		want        bool
	}{
		{nil, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4318/v1/metrics", "OTEL_METRICS_EXPORTER": "otlp"}, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_METRICS_EXPORTER": "none"}, false},
	} {
		if got := otlp.Wanted(func(name string) string { return tt.environment[name] }); got != tt.want {
			t.Errorf("%v: %v", tt.environment, got)
		}
	}
}
