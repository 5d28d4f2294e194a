package exporters

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// What `powerspy serve` pushes is what OpenTelemetry's own definition of the
// protocol reads, and the energy grows from push to push. The receiver is this
// test's: Debian's Prometheus has none (it came with 2.47), and a collector is no
// package of Debian's.
func TestOTLP(t *testing.T) {
	var mu sync.Mutex
	var energies []float64
	attributes := make(map[string]string)
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body := io.Reader(req.Body)
		if req.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		raw, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
			return
		}
		var m collector.ExportMetricsServiceRequest
		if err := proto.Unmarshal(raw, &m); err != nil || req.Header.Get("Content-Type") != "application/x-protobuf" || req.URL.Path != "/v1/metrics" {
			t.Errorf("%s %s: %v", req.URL.Path, req.Header.Get("Content-Type"), err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, rm := range m.ResourceMetrics {
			for _, sm := range rm.ScopeMetrics {
				for _, metric := range sm.Metrics {
					for _, p := range metric.GetSum().GetDataPoints() {
						if metric.Name != "hw.host.energy" || metric.Unit != "J" {
							t.Errorf("a counter %s of %s", metric.Name, metric.Unit)
						}
						energies = append(energies, p.GetAsDouble())
						for _, a := range p.Attributes {
							attributes[a.Key] = a.Value.GetStringValue()
						}
					}
				}
			}
		}
	}))
	defer r.Close()
	_, meter := simulated(t, "load=constant,watts=100")
	serve(t, []string{"OTEL_METRIC_EXPORT_INTERVAL=250"}, "--device", "tcp://"+meter, "--otlp", r.URL)
	until(t, "some pushes", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(energies) >= 5
	})
	mu.Lock()
	defer mu.Unlock()
	for i := 1; i < len(energies); i++ {
		if energies[i] < energies[i-1] {
			t.Errorf("energy goes back: %v", energies)
		}
	}
	if energies[len(energies)-1] <= energies[0] {
		t.Errorf("energy does not grow: %v", energies)
	}
	if attributes["hw.id"] != meter || attributes["hw.name"] != meter {
		t.Errorf("unexpected attributes %v", attributes)
	}
}
