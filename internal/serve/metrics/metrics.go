// Package metrics tells Prometheus of meters: energy, power and whatever else is
// known of each, and of the process that serves them.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"powerspy2/internal/serve/totals"
)

// inFlight is how many scrapes are answered at the same time.
const inFlight = 40

// Handler returns the handler of scrapes, in the text format of Prometheus or
// OpenMetrics, whichever is asked for. meters returns the meters that are served
// and may be called concurrently.
func Handler(meters func() []totals.Meter) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(
		newCollector(meters),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.InstrumentMetricHandler(r, promhttp.HandlerFor(r, promhttp.HandlerOpts{
		Registry:                            r,
		MaxRequestsInFlight:                 inFlight,
		EnableOpenMetrics:                   true,
		EnableOpenMetricsTextCreatedSamples: true,
	}))
}
