package otlp

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"

	"powerspy2/internal/harmless"
	"powerspy2/internal/serve/totals"
)

// A Config says where to push what.
type Config struct {
	// URL is the collector's, http or https. Unless it ends in /v1/metrics, that is
	// appended, as to OTEL_EXPORTER_OTLP_ENDPOINT. Empty: what the environment says.
	URL string

	// Version is that of the program.
	Version string

	// Meters returns the meters that are served; it may be called concurrently.
	Meters func() []totals.Meter

	// Tell tells a person, in a sentence, that pushing fails, once, and when it
	// works again. It may be called concurrently.
	Tell func(text string)
}

// A Pusher pushes at an interval: OTEL_METRIC_EXPORT_INTERVAL in ms, else a minute.
type Pusher struct{ provider *sdk.MeterProvider }

// Start begins to push. It does not wait for the collector. Errors are those of
// [CheckURL], and of what the environment says.
func Start(ctx context.Context, cfg Config) (*Pusher, error) {
	url, err := endpoint(cfg.URL)
	if err != nil {
		return nil, err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { cfg.Tell(text(err)) }))
	otel.SetLogger(newLogger(cfg.Tell))
	var options []otlpmetrichttp.Option
	if url != "" {
		options = append(options, otlpmetrichttp.WithEndpointURL(url))
	}
	exporter, err := otlpmetrichttp.New(ctx, options...)
	if err != nil {
		return nil, err
	}
	res, err := resource.New(ctx,
		resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", "powerspy"), attribute.String("service.version", cfg.Version)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	p := &Pusher{sdk.NewMeterProvider(
		sdk.WithResource(res),
		sdk.WithReader(sdk.NewPeriodicReader(&watched{Exporter: exporter, tell: cfg.Tell})))}
	if err := observe(p.provider.Meter("powerspy", metric.WithInstrumentationVersion(cfg.Version)), cfg.Meters); err != nil {
		return nil, err
	}
	return p, nil
}

// Stop pushes a last time and ends pushing. ctx bounds it.
func (p *Pusher) Stop(ctx context.Context) error { return p.provider.Shutdown(ctx) }

// observe makes what is pushed.
func observe(m metric.Meter, meters func() []totals.Meter) error {
	energy, err := m.Float64ObservableCounter("hw.host.energy", metric.WithUnit("J"),
		metric.WithDescription("Energy, bridged windows included."))
	if err != nil {
		return err
	}
	power, err := m.Float64ObservableGauge("hw.host.power", metric.WithUnit("W"),
		metric.WithDescription("Mean power of the last second, negative when it flows backwards."))
	if err != nil {
		return err
	}
	voltage, err := m.Float64ObservableGauge("hw.voltage", metric.WithUnit("V"),
		metric.WithDescription("RMS voltage of the last second."))
	if err != nil {
		return err
	}
	_, err = m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, m := range meters() {
			s := m.Totals.Snapshot()
			if s.Last.IsZero() {
				continue
			}
			which := metric.WithAttributes(attribute.String("hw.id", harmless.Text(m.ID())), attribute.String("hw.name", harmless.Text(m.Name)))
			o.ObserveFloat64(energy, s.Counter, which)
			if s.Up {
				o.ObserveFloat64(power, s.Mean.Power, which)
				o.ObserveFloat64(voltage, s.Mean.Voltage, which)
			}
		}
		return nil
	}, energy, power, voltage)
	return err
}
