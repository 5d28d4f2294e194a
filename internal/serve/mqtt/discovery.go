package mqtt

import (
	"encoding/json"

	"powerspy2/internal/serve/totals"
)

// Home Assistant's MQTT discovery: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery

// A sensor is one thing that Home Assistant shows of a meter. It is in every
// reading.
type sensor struct {
	key, name          string
	unit, class, state string // unit_of_measurement, device_class, state_class
	template           string // of its value
	precision          int    // digits that are shown
}

var sensors = [...]sensor{
	{"power", "Power", "W", "power", "measurement", "{{ value_json.power_W }}", 1},
	{"energy", "Energy", "Wh", "energy", "total_increasing", "{{ (value_json.counter_J / 3600) | round(6) }}", 1},
	{"voltage", "Voltage", "V", "voltage", "measurement", "{{ value_json.voltage_V }}", 1},
	{"current", "Current", "A", "current", "measurement", "{{ value_json.current_A }}", 3},
	{"frequency", "Frequency", "Hz", "frequency", "measurement", "{{ value_json.frequency_Hz }}", 3},
	{"power_factor", "Power factor", "", "power_factor", "measurement", "{{ value_json.power_factor }}", 2},
}

// config is what is published of a sensor.
type config struct {
	Name         string `json:"name"`
	UniqueID     string `json:"unique_id"`
	StateTopic   string `json:"state_topic"`
	Template     string `json:"value_template"`
	Availability string `json:"availability_topic"`
	Unit         string `json:"unit_of_measurement,omitempty"`
	Class        string `json:"device_class"`
	StateClass   string `json:"state_class"`
	Precision    int    `json:"suggested_display_precision"`
	Device       device `json:"device"`
	Origin       origin `json:"origin"`
}

type device struct {
	Identifiers  []string `json:"identifiers"`
	Name         string   `json:"name"`
	Manufacturer string   `json:"manufacturer"`
	Model        string   `json:"model"`
	Serial       string   `json:"serial_number,omitempty"`
	Firmware     string   `json:"sw_version,omitempty"`
	Hardware     string   `json:"hw_version,omitempty"`
}

type origin struct {
	Name    string `json:"name"`
	Version string `json:"sw_version,omitempty"`
}

// A message is what is published to a topic.
type message struct {
	topic   string
	payload []byte
}

// discovery returns what Home Assistant is told of a meter.
func discovery(m *totals.Meter, t topics, version string) ([]message, error) {
	id := m.Identity()
	unique := objectID(m.ID())
	dev := device{
		Identifiers: []string{"powerspy_" + unique}, Name: m.Name, Manufacturer: "Alciom", Model: "PowerSpy2",
		Serial: id.Serial, Firmware: id.Firmware, Hardware: id.Hardware,
	}
	list := make([]message, len(sensors))
	for i, s := range sensors {
		payload, err := json.Marshal(config{
			Name: s.name, UniqueID: "powerspy_" + unique + "_" + s.key,
			StateTopic: t.reading, Template: s.template, Availability: t.state,
			Unit: s.unit, Class: s.class, StateClass: s.state, Precision: s.precision,
			Device: dev, Origin: origin{"powerspy", version},
		})
		if err != nil {
			return nil, err
		}
		list[i] = message{discoveryPrefix + "powerspy_" + unique + "/" + s.key + "/config", payload}
	}
	return list, nil
}
