package metrics_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/internal/serve/metrics"
	"powerspy2/internal/serve/totals"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
)

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const openMetrics = "application/openmetrics-text; version=1.0.0"

// scrape returns the answer's lines about meters.
func scrape(t *testing.T, h http.Handler, accept string) (lines []string, contentType string) {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	req.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d, error %v: %s", w.Code, err, body)
	}
	s := bufio.NewScanner(strings.NewReader(string(body)))
	for s.Scan() {
		if strings.Contains(s.Text(), "powerspy_") {
			lines = append(lines, s.Text())
		}
	}
	return lines, w.Header().Get("Content-Type")
}

// served returns a meter with a name that was fed events.
func served(t *testing.T, name string, id totals.Identity, events ...meter.Event) totals.Meter {
	t.Helper()
	m := totals.Meter{Name: name, Totals: totals.New(), Identity: func() totals.Identity { return id }}
	for i := range events {
		if err := m.Totals.Event(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// values returns the lines that are no comments.
func values(lines []string) (list []string) {
	for _, l := range lines {
		if !strings.HasPrefix(l, "#") {
			list = append(list, l)
		}
	}
	return list
}

// The text of a meter that measures, of one that is away and of one that never was
// there.
func TestText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := measuretest.Windows(begin, 50, 20*time.Millisecond, 92)
		events[1].Window.Delay = 15 * time.Millisecond
		events[2].Window.Bridged = true
		gone := append([]meter.Event{}, events...)
		gone = append(gone, measuretest.Gap(begin.Add(time.Second), 1500*time.Millisecond, 75))
		gone = append(gone, measuretest.Windows(begin.Add(2500*time.Millisecond), 1, time.Second, 8)...)
		gone = append(gone, meter.Event{Kind: meter.StatusEvent, Status: meter.Status{Phase: meter.Stalled}})
		list := []totals.Meter{
			served(t, "rack 1", totals.Identity{Alias: "rack 1", Address: "00:0B:CE:07:1D:32", Serial: "4567", Firmware: "2.3", Hardware: "0x03"}, events...),
			served(t, "gone", totals.Identity{}, gone...),
			served(t, "new\n\"\x1b\\", totals.Identity{}),
		}
		lines, contentType := scrape(t, metrics.Handler(func() []totals.Meter { return list }), "")
		if want := "text/plain; version=0.0.4"; !strings.HasPrefix(contentType, want) {
			t.Errorf("content type %q, want %q", contentType, want)
		}
		want := []string{
			`powerspy_apparent_power_voltamperes{meter="rack 1"} 92`,
			`powerspy_bridged_windows_total{meter="gone"} 1`,
			`powerspy_bridged_windows_total{meter="new\\n\"\\x1b\\"} 0`,
			`powerspy_bridged_windows_total{meter="rack 1"} 1`,
			`powerspy_current_amperes{meter="rack 1"} 0.4`,
			`powerspy_current_peak_amperes{meter="rack 1"} 0.564417`,
			`powerspy_energy_joules_total{meter="gone"} 100`,
			`powerspy_energy_joules_total{meter="new\\n\"\\x1b\\"} 0`,
			`powerspy_energy_joules_total{meter="rack 1"} 92`,
			`powerspy_frequency_hertz{meter="rack 1"} 50`,
			`powerspy_gap_seconds_total{meter="gone"} 1.5`,
			`powerspy_gap_seconds_total{meter="new\\n\"\\x1b\\"} 0`,
			`powerspy_gap_seconds_total{meter="rack 1"} 0`,
			`powerspy_last_sample_timestamp_seconds{meter="gone"} 1.7723664035e+09`,
			`powerspy_last_sample_timestamp_seconds{meter="rack 1"} 1.772366401e+09`,
			`powerspy_meter_info{address="",alias="",firmware="",hardware="",meter="gone",serial=""} 1`,
			`powerspy_meter_info{address="",alias="",firmware="",hardware="",meter="new\\n\"\\x1b\\",serial=""} 1`,
			`powerspy_meter_info{address="00:0B:CE:07:1D:32",alias="rack 1",firmware="2.3",hardware="0x03",meter="rack 1",serial="4567"} 1`,
			`powerspy_power_factor_ratio{meter="rack 1"} 1`,
			`powerspy_power_watts{meter="rack 1"} 92`,
			`powerspy_reconnects_total{meter="gone"} 0`,
			`powerspy_reconnects_total{meter="new\\n\"\\x1b\\"} 0`,
			`powerspy_reconnects_total{meter="rack 1"} 0`,
			`powerspy_samples_total{meter="gone"} 50`,
			`powerspy_samples_total{meter="new\\n\"\\x1b\\"} 0`,
			`powerspy_samples_total{meter="rack 1"} 49`,
			`powerspy_up{meter="gone"} 0`,
			`powerspy_up{meter="new\\n\"\\x1b\\"} 0`,
			`powerspy_up{meter="rack 1"} 1`,
			`powerspy_voltage_peak_volts{meter="rack 1"} 325`,
			`powerspy_voltage_volts{meter="rack 1"} 230`,
		}
		var got []string
		for _, l := range values(lines) {
			if !strings.HasPrefix(l, "powerspy_window_delay") {
				got = append(got, l)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("unexpected text (-want +got):\n%s", diff)
		}
	})
}

// OpenMetrics tells since when each counter counts.
func TestOpenMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := served(t, "m", totals.Identity{}, measuretest.Windows(begin, 1, 20*time.Millisecond, 50)...)
		m.Totals.Event(&measuretest.Windows(begin.Add(20*time.Millisecond), 1, 20*time.Millisecond, 50)[0])
		lines, contentType := scrape(t, metrics.Handler(func() []totals.Meter { return []totals.Meter{m} }), openMetrics)
		if !strings.HasPrefix(contentType, openMetrics) {
			t.Errorf("content type %q, want %q", contentType, openMetrics)
		}
		text := strings.Join(lines, "\n")
		for _, want := range []string{
			"# TYPE powerspy_energy_joules counter",
			`powerspy_energy_joules_total{meter="m"} 2.0`,
			`powerspy_energy_joules_created{meter="m"} 9.466848e+08`,
			"# TYPE powerspy_window_delay_seconds histogram",
			`powerspy_window_delay_seconds_bucket{meter="m",le="0.005"} 2`,
			`powerspy_window_delay_seconds_bucket{meter="m",le="+Inf"} 2`,
			`powerspy_window_delay_seconds_count{meter="m"} 2`,
			`powerspy_window_delay_seconds_created{meter="m"} 9.466848e+08`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("there is no line %q in\n%s", want, text)
			}
		}
	})
}

// Two servers in one process do not know each other's meters, and both tell of the
// process.
func TestOwnRegistry(t *testing.T) {
	for _, name := range []string{"a", "b"} {
		m := served(t, name, totals.Identity{})
		h := metrics.Handler(func() []totals.Meter { return []totals.Meter{m} })
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		for _, want := range []string{`powerspy_up{meter="` + name + `"} 0`, "go_goroutines ", "process_start_time_seconds ", "promhttp_metric_handler_requests_total"} {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: there is no %s", name, want)
			}
		}
		if n := strings.Count(w.Body.String(), "powerspy_up{"); n != 1 {
			t.Errorf("%s: %d meters", name, n)
		}
	}
}
