package exporters

import (
	"context"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

// receiver starts the receiver of the OpenTelemetry collector, with what comes after
// it replaced by a sink. Debian has no package of the collector, and its Prometheus
// is older than OTLP there.
func receiver(t *testing.T) (url string, sink *consumertest.MetricsSink) {
	t.Helper()
	address := freePort(t)
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	settings := confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{"http": map[string]any{"endpoint": address}}})
	if err := settings.Unmarshal(config); err != nil {
		t.Fatal(err)
	}
	sink = new(consumertest.MetricsSink)
	r, err := factory.CreateMetrics(t.Context(), receivertest.NewNopSettings(factory.Type()), config, sink)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return "http://" + address, sink
}

// points returns the data points of a name and unit that came so far.
func points(all []pmetric.Metrics, name, unit string) (list []pmetric.NumberDataPoint) {
	for _, push := range all {
		for _, rm := range push.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					if m.Name() != name || m.Unit() != unit {
						continue
					}
					data := pmetric.NewNumberDataPointSlice()
					switch m.Type() {
					case pmetric.MetricTypeSum:
						if m.Sum().IsMonotonic() {
							data = m.Sum().DataPoints()
						}
					case pmetric.MetricTypeGauge:
						data = m.Gauge().DataPoints()
					}
					for _, p := range data.All() {
						list = append(list, p)
					}
				}
			}
		}
	}
	return list
}

// What `powerspy serve` pushes arrives at the receiver of the OpenTelemetry
// collector, and the energy grows from push to push.
func TestOTLP(t *testing.T) {
	url, sink := receiver(t)
	_, meter := simulated(t, "load=constant,watts=100")
	serve(t, []string{"OTEL_METRIC_EXPORT_INTERVAL=250"}, "--device", "tcp://"+meter, "--otlp", url)
	var energy, power, voltage []pmetric.NumberDataPoint
	until(t, "some pushes", func() bool {
		all := sink.AllMetrics()
		energy, power, voltage = points(all, "hw.host.energy", "J"), points(all, "hw.host.power", "W"), points(all, "hw.voltage", "V")
		return len(energy) >= 5 && len(power) >= 5 && len(voltage) >= 5
	})
	for i := 1; i < len(energy); i++ {
		if energy[i].DoubleValue() < energy[i-1].DoubleValue() || energy[i].StartTimestamp() != energy[0].StartTimestamp() {
			t.Errorf("push %d: energy %v J since %v after %v J since %v", i, energy[i].DoubleValue(), energy[i].StartTimestamp(), energy[i-1].DoubleValue(), energy[0].StartTimestamp())
		}
	}
	if first, last := energy[0].DoubleValue(), energy[len(energy)-1].DoubleValue(); last <= first {
		t.Errorf("energy does not grow: %v, then %v", first, last)
	}
	if p := power[len(power)-1].DoubleValue(); p < 98 || p > 102 {
		t.Errorf("power %v W, want 100 W", p)
	}
	if v := voltage[len(voltage)-1].DoubleValue(); v < 225 || v > 235 {
		t.Errorf("voltage %v V, want 230 V", v)
	}
	for _, key := range []string{"hw.id", "hw.name"} {
		if v, ok := energy[0].Attributes().Get(key); !ok || v.Str() != meter {
			t.Errorf("%s is %q, want %q", key, v.AsString(), meter)
		}
	}
}
