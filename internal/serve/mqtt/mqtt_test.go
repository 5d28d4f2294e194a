package mqtt

import (
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/internal/serve/totals"
	"powerspy2/measure"
	"powerspy2/measure/measuretest"
)

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A name is one level of a topic, whatever is in it.
func TestLevel(t *testing.T) {
	for name, want := range map[string]string{
		"rack1":             "rack1",
		"PowerSpy 4567":     "PowerSpy 4567",
		"/dev/rfcomm0":      "%2Fdev%2Frfcomm0",
		"a+b#c":             "a%2Bb%23c",
		"50%":               "50%25",
		"zähler":            "zähler",
		"a\nb\x00\x7f":      "a%0Ab%00%7F",
		"\u202e\xff":        "%E2%80%AE%FF",
		"00:0B:CE:07:1D:32": "00:0B:CE:07:1D:32",
	} {
		if got := Level(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// What names a meter in topics and ids is made of allowed characters, and different
// for different names.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"rack1", "a/b", "a_2Fb", "a%2Fb", "+#", "\xff", "ü", ""} {
		f.Add(name, "a/b")
	}
	allowed := regexp.MustCompile(`\A[A-Za-z0-9_-]*\z`)
	f.Fuzz(func(t *testing.T, a, b string) {
		if l := Level(a); strings.ContainsAny(l, "/+#\x00\n") {
			t.Errorf("level %q", l)
		}
		if id := objectID(a); !allowed.MatchString(id) {
			t.Errorf("id %q", id)
		}
		if (a == b) != (Level(a) == Level(b)) || (a == b) != (objectID(a) == objectID(b)) {
			t.Errorf("%q and %q are %q and %q, %q and %q", a, b, Level(a), Level(b), objectID(a), objectID(b))
		}
	})
}

func TestParseURL(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"mqtt://broker", "mqtt://broker:1883"},
		{"mqtt://alice@broker:1234/", "mqtt://alice@broker:1234"},
		{"mqtts://[::1]", "mqtts://[::1]:8883"},
		{"broker:1883", "error: it does not begin with mqtt:// or mqtts://"},
		{"http://broker", "error: it does not begin with mqtt:// or mqtts://"},
		{"mqtt://", "error: it has no host"},
		{"mqtt://alice:secret@broker", "error: a password does not belong into it"},
		{"mqtt://alice:secret@broker:port", "error: it is no URL"},
		{"mqtt://broker/secret", "error: it has more than a user, a host and a port"},
	} {
		got := ""
		u, err := ParseURL(tt.text)
		if err != nil {
			got = "error: " + err.Error()
		} else {
			got = u.String()
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.text, got, tt.want)
		}
	}
}

func TestClientID(t *testing.T) {
	allowed := regexp.MustCompile(`\A[A-Za-z0-9]{1,23}\z`)
	if a, b := clientID("a"), clientID("b"); a == b || a != clientID("a") || !allowed.MatchString(a) {
		t.Errorf("client ids %q and %q", a, b)
	}
}

// newPublication returns that of a meter without a broker.
func newPublication(t *testing.T, name string, id totals.Identity) (*publication, measure.Sink, *totals.Totals) {
	t.Helper()
	u, err := ParseURL("mqtt://localhost")
	if err != nil {
		t.Fatal(err)
	}
	p := New(Config{URL: u, Version: "1.2.3", Tell: func(string) {}})
	all := totals.New()
	sink := p.Sink(totals.Meter{Name: name, Totals: all, Identity: func() totals.Identity { return id }})
	return p.meters[0], sink, all
}

// Readings are those of `measure --format jsonl`, with the energy counter, and
// only the last one waits.
func TestReadings(t *testing.T) {
	p, sink, all := newPublication(t, "rack1", totals.Identity{})
	events := measuretest.Windows(begin, 160, 20*time.Millisecond, 100)
	for i := range events {
		if err := all.Event(&events[i]); err != nil {
			t.Fatal(err)
		}
		if err := sink.Event(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	var got map[string]any
	payload := <-p.reading
	if err := json.Unmarshal(payload, &got); err != nil {
		t.Fatalf("%v: %s", err, payload)
	}
	for key, want := range map[string]float64{"energy_J": 100, "total_J": 300, "counter_J": 300, "power_W": 100, "frequency_Hz": 50, "windows": 50} {
		if v, ok := got[key].(float64); !ok || math.Abs(v-want) > 1e-5 {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	if len(p.reading) != 0 {
		t.Error("another reading waits")
	}
}

// What Home Assistant is told has what its documentation asks for, and templates
// name what readings have.
func TestDiscovery(t *testing.T) {
	p, sink, all := newPublication(t, "a/b", totals.Identity{Address: "00:0B:CE:07:1D:32", Serial: "4567", Firmware: "2.1", Hardware: "0x03"})
	list, err := discovery(&p.meter, p.topics, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range list {
		names = append(names, m.topic)
	}
	const unique = "powerspy_00_3A0B_3ACE_3A07_3A1D_3A32"
	if diff := cmp.Diff([]string{
		"homeassistant/sensor/" + unique + "/power/config",
		"homeassistant/sensor/" + unique + "/energy/config",
		"homeassistant/sensor/" + unique + "/voltage/config",
		"homeassistant/sensor/" + unique + "/current/config",
		"homeassistant/sensor/" + unique + "/frequency/config",
		"homeassistant/sensor/" + unique + "/power_factor/config",
	}, names); diff != "" {
		t.Errorf("unexpected topics (-want +got):\n%s", diff)
	}
	var energy map[string]any
	if err := json.Unmarshal(list[1].payload, &energy); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{
		"name": "Energy", "unique_id": unique + "_energy",
		"state_topic": "powerspy/a%2Fb/reading", "availability_topic": "powerspy/a%2Fb/state",
		"value_template":      "{{ (value_json.counter_J / 3600) | round(6) }}",
		"unit_of_measurement": "Wh", "device_class": "energy", "state_class": "total_increasing",
		"suggested_display_precision": 1.0,
		"device": map[string]any{
			"identifiers": []any{unique}, "name": "a/b", "manufacturer": "Alciom", "model": "PowerSpy2",
			"serial_number": "4567", "sw_version": "2.1", "hw_version": "0x03",
		},
		"origin": map[string]any{"name": "powerspy", "sw_version": "1.2.3"},
	}, energy); diff != "" {
		t.Errorf("unexpected energy sensor (-want +got):\n%s", diff)
	}

	events := measuretest.Windows(begin, 51, 20*time.Millisecond, 100)
	for i := range events {
		_ = all.Event(&events[i])
		_ = sink.Event(&events[i])
	}
	var reading map[string]any
	if err := json.Unmarshal(<-p.reading, &reading); err != nil {
		t.Fatal(err)
	}
	key := regexp.MustCompile(`value_json\.(\w+)`)
	for _, s := range sensors {
		k := key.FindStringSubmatch(s.template)
		if k == nil || reading[k[1]] == nil {
			t.Errorf("%s: %s is not in a reading", s.key, s.template)
		}
	}
}

// A broker that is away is told once, and once that it is back; one that comes and
// goes is not told again and again.
func TestLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		l := link{broker: "broker:1883", tell: func(text string) { said = append(said, text) }}
		l.up()
		l.down("connection\n refused")
		l.down("connection refused")
		l.up()
		l.up()
		for range 10 {
			time.Sleep(time.Second)
			l.down("taken over")
			l.up()
		}
		l.down("still away")
		time.Sleep(time.Minute)
		l.down("still away")
		want := []string{
			"the MQTT broker broker:1883 is away, and is tried again until it is back: connection refused",
			"the MQTT broker broker:1883 is back",
			"the MQTT broker broker:1883 is away, and is tried again until it is back: still away",
		}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("unexpected words (-want +got):\n%s", diff)
		}
	})
}
