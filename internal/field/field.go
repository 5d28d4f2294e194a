// Package field is the file in which a field test writes down how one real meter
// behaves: what it says of itself, how it streams, and what it answers. The
// command fieldtest writes it, the simulator behaves by it.
package field

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Format and Version stand at the beginning of each file. A file of another
// version is not read.
const (
	Format  = "powerspy field test"
	Version = 1
)

// A File is what a field test found. Times are in the units that the names of
// fields in the file tell.
type File struct {
	Format  string  `json:"format"`
	Version int     `json:"version"`
	Program string  `json:"program"` // the version of powerspy that made it
	Date    string  `json:"date"`    // day on which it was begun, in UTC: 2026-03-01
	Seconds float64 `json:"seconds"` // how long it took

	// Interrupted: it was ended before all had been asked.
	Interrupted bool `json:"interrupted,omitempty"`

	// Disguised: serial number and addresses are stand-ins.
	Disguised bool `json:"disguised"`

	Host       Host       `json:"host"`
	Meter      Meter      `json:"meter"`
	RoundTrips RoundTrips `json:"round_trips"`
	EEPROM     EEPROM     `json:"eeprom"`
	Mains      Mains      `json:"mains"`
	Streams    []Stream   `json:"streams"`
	Capture    Capture    `json:"capture"`
	Card       Card       `json:"card"`
}

// A Status says what became of a question.
type Status string

// The statuses.
const (
	Done        Status = "done"
	Refused     Status = "refused"     // the meter said that it won't
	Silent      Status = "silent"      // no answer; of a stream: no frames
	Failed      Status = "failed"      // anything else, such as a link that broke
	Unsupported Status = "unsupported" // this generation can't
	NotAsked    Status = "not asked"   // the field test was over before
)

// An Outcome is what became of a question, and why.
type Outcome struct {
	Status Status `json:"status"`
	Error  string `json:"error,omitempty"`
}

// Host is the machine and the way to the meter.
type Host struct {
	Link    string  `json:"link"` // Bluetooth, serial line, TCP or simulated
	Kernel  string  `json:"kernel,omitempty"`
	Machine string  `json:"machine,omitempty"` // such as linux/amd64
	BlueZ   string  `json:"bluez,omitempty"`
	Adapter Adapter `json:"adapter"`
}

// Adapter is the Bluetooth adapter of the host.
type Adapter struct {
	ID      string `json:"id,omitempty"` // such as hci0
	Address string `json:"address,omitempty"`
	Driver  string `json:"driver,omitempty"`
	USB     string `json:"usb,omitempty"` // such as 0a12:0001
}

// String names the adapter for people; empty if there is none.
func (a Adapter) String() string {
	var about []string
	for _, s := range []string{a.Address, a.Driver, a.USB} {
		if s != "" {
			about = append(about, s)
		}
	}
	if len(about) == 0 {
		return a.ID
	}
	return strings.TrimSpace(a.ID + " (" + strings.Join(about, ", ") + ")")
}

// Meter is who the meter says it is.
type Meter struct {
	Name       string  `json:"name,omitempty"` // as advertised
	Address    string  `json:"address,omitempty"`
	Generation int     `json:"generation"` // 1 or 2
	Serial     uint16  `json:"serial"`
	Firmware   uint8   `json:"firmware"`
	Hardware   uint8   `json:"hardware"`
	Status     string  `json:"status"` // letter, before anything was started
	PLLLocked  bool    `json:"pll_locked"`
	Trigger    uint8   `json:"trigger"` // bits
	Frequency  float64 `json:"mains_frequency_hz"`
}

// RoundTrips are the times from a request to its answer: those of a series of ?,
// and the shortest of all requests, half of which is taken for the constant part
// of frames' delays.
type RoundTrips struct {
	Outcome
	Milliseconds []float64 `json:"ms"`
	Shortest     float64   `json:"shortest_ms"` // 0: not known
}

// EEPROM is what the EEPROM holds from address 0 on.
type EEPROM struct {
	Outcome
	Bytes Bytes `json:"bytes"`
}

// EEPROMSize is how many bytes a meter has (AL/LG/0838/003 §3.3.6).
const EEPROMSize = 256

// Mains are the answers to F.
type Mains struct {
	Outcome
	Answers []MainsAnswer `json:"answers"`
}

// A MainsAnswer is one answer to F.
type MainsAnswer struct {
	At           float64 `json:"at_s"` // since the first question
	Hertz        float64 `json:"hz"`
	Milliseconds float64 `json:"round_trip_ms"`
}

// Capture is a short capture that was read in both ways.
type Capture struct {
	Outcome
	Periods int    `json:"periods"`
	Text    Answer `json:"a"` // what A answered
	Binary  Answer `json:"b"` // what B answered
}

// An Answer is what a meter said, between the letter and the closing bracket.
type Answer struct {
	Outcome
	Raw Bytes `json:"raw"`
}

// Card is the SD card.
type Card struct {
	Outcome
	Raw   string `json:"raw"` // what U answered, between its brackets
	Files []Log  `json:"files"`

	// First is the beginning of the smallest file that is not empty.
	First Beginning `json:"first_blocks"`
}

// A Log is a file on the SD card.
type Log struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// A Beginning is how a file begins.
type Beginning struct {
	Outcome
	Name  string `json:"name,omitempty"`
	Bytes Bytes  `json:"bytes"`
}

// Bytes are written in hexadecimal.
type Bytes []byte

// MarshalText implements [encoding.TextMarshaler].
func (b Bytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	if *b, err = hex.AppendDecode(nil, text); err != nil {
		return fmt.Errorf("bytes in hexadecimal: %w", err)
	}
	return nil
}
