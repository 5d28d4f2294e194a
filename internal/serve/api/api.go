// Package api is what a server and its clients say to each other: version 1 of
// the API of `powerspy serve`, JSON over HTTP.
//
// Events are lines of package record, or of `powerspy measure --format jsonl`
// where an interval is asked for; this package has all else.
package api

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"time"

	"powerspy2/powerspy"
	"powerspy2/record"
)

// Paths.
const (
	Meters  = "/api/v1/meters"
	Clock   = "/api/v1/time"
	OpenAPI = "/api/v1/openapi.json"
	Healthy = "/-/healthy"
	Ready   = "/-/ready"
)

// Media types.
const (
	JSON        = "application/json"
	JSONLines   = "application/jsonl"
	EventStream = "text/event-stream"
)

// Events returns the path of a meter's events.
func Events(meter string) string { return Meters + "/" + url.PathEscape(meter) + "/events" }

// Marks returns the path of a meter's marks.
func Marks(meter string) string { return Meters + "/" + url.PathEscape(meter) + "/marks" }

// LongestMemory bounds for how long a server remembers what was measured.
const LongestMemory = 7 * 24 * time.Hour

// A State says whether a meter measures.
type State string

// States of a meter.
const (
	Up         State = "up"
	Connecting State = "connecting"
	Away       State = "away"
)

// A Meter is one that is served. What is a pointer is nil until the meter was
// reached.
type Meter struct {
	Name        string          `json:"name"`
	Address     *string         `json:"address"`
	Device      string          `json:"device"`
	Generation  *string         `json:"generation"`
	Serial      *uint16         `json:"serial"`
	Hardware    *uint8          `json:"hardware"`
	Firmware    *uint8          `json:"firmware"`
	Calibration *Calibration    `json:"calibration"`
	Simulated   bool            `json:"simulated"`
	State       State           `json:"state"`
	Reason      string          `json:"reason"`       // why it is not up; empty when it is
	Since       record.Seconds  `json:"since_s"`      // when the state began
	Window      *float64        `json:"window_s"`     // length of a window
	LastReading json.RawMessage `json:"last_reading"` // of a second; its keys are those of measure --format jsonl
}

// A Calibration is the one in force, and the bytes that tell both.
type Calibration struct {
	Date    string                 `json:"date"`
	Voltage float64                `json:"volts_per_count"`
	Current float64                `json:"amperes_per_count"`
	Factory bool                   `json:"factory"`
	EEPROM  *powerspy.Calibrations `json:"eeprom"`
}

// A Span is the energy between two moments. What is nil is not known: nothing was
// measured then.
type Span struct {
	Start       record.Seconds `json:"start_s"`
	End         record.Seconds `json:"end_s"`
	Duration    float64        `json:"duration_s"`
	Energy      *float64       `json:"energy_J"`
	Uncertainty *float64       `json:"energy_uncertainty_J"` // for a level of confidence of 95 %
	Coverage    float64        `json:"coverage"`             // 0 to 1
	Windows     int            `json:"windows"`
	Bridged     int            `json:"bridged"`
	PowerMean   *float64       `json:"power_mean_W"`
	PowerMin    *float64       `json:"power_min_W"`
	PowerMax    *float64       `json:"power_max_W"`
	Gaps        []Gap          `json:"gaps"`
}

// A Gap is a time that was not measured.
type Gap struct {
	Start  record.Seconds `json:"start_s"`
	End    record.Seconds `json:"end_s"`
	Reason string         `json:"reason"`
}

// A Mark is a named moment.
type Mark struct {
	Time record.Seconds `json:"time_s"`
	Name string         `json:"name"`          // empty: it is an end
	End  bool           `json:"end,omitempty"` // it ends the phase before it
	By   string         `json:"by"`            // the user who set it, or the login
}

// A NewMark is what sets a mark: a Name, or End.
type NewMark struct {
	Name string          `json:"name,omitempty"`
	End  bool            `json:"end,omitempty"`
	Time *record.Seconds `json:"time_s,omitempty"` // nil: now
}

// A Time is the clock of the server.
type Time struct {
	Time     record.Seconds `json:"time_s"`     // when it answered
	Receive  record.Seconds `json:"receive_s"`  // when the request came
	Transmit record.Seconds `json:"transmit_s"` // when the answer left
	Boot     string         `json:"boot_id"`    // of the machine, another one each time it starts; empty: not known
	Instance string         `json:"instance"`   // of the server, another one each time it starts
}

// BootID returns the one of this machine (random(4), boot_id), empty where it has
// none: programs of the same one have the same clock.
func BootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// An Error is the answer to a request that is not fulfilled.
type Error struct {
	Error string `json:"error"` // one sentence
}
