package otlp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-logr/logr"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"powerspy2/internal/harmless"
)

// A watched exporter tells once that pushing fails, and when it works again. The
// reader behind it is told of no error: it has nobody to tell but standard error.
type watched struct {
	sdk.Exporter
	tell func(string)

	mu      sync.Mutex
	failing bool
}

// Export implements [sdk.Exporter].
func (w *watched) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	err := w.Exporter.Export(ctx, rm)
	if errors.Is(err, context.Canceled) {
		return nil // the end came first
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil && !w.failing:
		w.failing = true
		w.tell(fmt.Sprintf("pushing to OpenTelemetry fails and is tried again at each interval: %s", text(err)))
	case err == nil && w.failing:
		w.failing = false
		w.tell("pushing to OpenTelemetry works again")
	}
	return nil
}

// longest is how much of an error is told, in bytes: a collector may answer with
// a page.
const longest = 300

// text returns an error in one harmless line.
func text(err error) string {
	s := strings.Join(strings.Fields(err.Error()), " ")
	if len(s) > longest {
		n := longest
		for !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "..."
	}
	return harmless.Text(s)
}

// A logger tells of what the SDK logs as an error: a variable of the environment
// that it does not understand. Only of which kind it is, because values may be
// secrets: headers, or the password in an URL.
type logger struct{ tell func(string) }

func newLogger(tell func(string)) logr.Logger { return logr.New(logger{tell}) }

func (logger) Init(logr.RuntimeInfo)            {}
func (logger) Enabled(int) bool                 { return false }
func (logger) Info(int, string, ...any)         {}
func (l logger) WithValues(...any) logr.LogSink { return l }
func (l logger) WithName(string) logr.LogSink   { return l }

// Error implements [logr.LogSink].
func (l logger) Error(_ error, message string, _ ...any) {
	l.tell("OpenTelemetry does not understand one of the variables OTEL_...: " + text(errors.New(message)))
}
