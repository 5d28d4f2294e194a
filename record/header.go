package record

import (
	"cmp"
	"encoding/json"
	"os"
	"time"

	"powerspy2/bdaddr"
	"powerspy2/meter"
	"powerspy2/powerspy"
)

// Version is that of recordings. It changes when a reader may no longer skip what
// it does not know: when a key or a type of line changes its meaning or goes.
const Version = 1

// A Header says what was recorded, when and how. A file that was appended to has
// one for each time.
type Header struct {
	Start     time.Time // when recording began
	Meter     Meter
	Averaging int     // mains periods in the first window; 0: none came first
	Frequency float64 // mains frequency in Hz when the meter was opened
	Tool      string  // version of the program that recorded
	Host      string  // name of its machine; may be empty
}

// A Meter is what a recording says of the meter.
type Meter struct {
	Name         string                // alias, advertised name or Device
	Address      bdaddr.Address        // zero: it was not reached by Bluetooth
	Device       string                // as [meter.ParseTarget] reads it
	Serial       uint16                // serial number
	Hardware     uint8                 // version
	Firmware     uint8                 // version
	Calibrations powerspy.Calibrations // both, as they stand in the EEPROM
}

// NewHeader returns the header of a recording that begins now, on this machine,
// of a source's meter. tool is the version of the program.
func NewHeader(src interface {
	Target() meter.Target
	Info() meter.Info
}, tool string) Header {
	t, i := src.Target(), src.Info()
	h := Header{
		Start: time.Now(), Frequency: i.Frequency, Tool: tool,
		Meter: Meter{
			Name: t.Label(), Device: cmp.Or(t.There, t.Device()),
			Serial: i.Identity.Serial, Hardware: i.Identity.Hardware, Firmware: i.Identity.Firmware,
			Calibrations: i.Calibrations,
		},
	}
	if t.Kind == meter.Bluetooth || t.Kind == meter.Served {
		h.Meter.Address = t.Address
	}
	h.Host, _ = os.Hostname() // a machine without a name has none to record
	return h
}

// Target returns which meter it was.
func (m *Meter) Target() meter.Target {
	t, err := meter.ParseTarget(m.Device)
	if err != nil || m.Device == "" {
		return meter.Target{Kind: meter.Named, Name: m.Name}
	}
	if m.Name != m.Device {
		t.Name = m.Name
	}
	return t
}

// Same reports whether both are the same meter, as far as it can be told.
func (m *Meter) Same(n *Meter) bool {
	return m.Serial == n.Serial && m.Hardware == n.Hardware &&
		(m.Address == n.Address || m.Address.IsZero() || n.Address.IsZero())
}

// Info returns what the meter said of itself.
func (h *Header) Info() meter.Info {
	_, factory, _ := h.Meter.Calibrations.InForce() // a recording may be of a meter that says nothing of it
	return meter.Info{
		Target: h.Meter.Target(),
		Identity: powerspy.Identity{
			Status: powerspy.Ready, PLLLocked: true,
			Serial: h.Meter.Serial, Hardware: h.Meter.Hardware, Firmware: h.Meter.Firmware,
		},
		Calibrations: h.Meter.Calibrations, UsesFactory: factory, Frequency: h.Frequency,
	}
}

// headerJSON is a header as it is written.
type headerJSON struct {
	Type      string      `json:"type"`
	Version   int         `json:"version"`
	Start     Seconds     `json:"start_s"`
	Meter     meterJSON   `json:"meter"`
	Averaging *int        `json:"averaging"`
	Frequency float64     `json:"frequency_Hz"`
	Host      string      `json:"host,omitempty"`
	Tool      versionJSON `json:"tool"`
}

type versionJSON struct {
	Version string `json:"version"`
}

type meterJSON struct {
	Name        string          `json:"name"`
	Address     *string         `json:"address"`
	Device      string          `json:"device"`
	Generation  string          `json:"generation"`
	Serial      uint16          `json:"serial"`
	Hardware    uint8           `json:"hardware"`
	Firmware    uint8           `json:"firmware"`
	Calibration calibrationJSON `json:"calibration"`
}

// calibrationJSON is the calibration in force, and the bytes that tell both.
type calibrationJSON struct {
	Date    string                 `json:"date"`
	Voltage float64                `json:"volts_per_count"`
	Current float64                `json:"amperes_per_count"`
	Factory bool                   `json:"factory"`
	EEPROM  *powerspy.Calibrations `json:"eeprom"`
}

func (h *Header) append(b []byte) ([]byte, error) {
	info := h.Info()
	j := headerJSON{
		Type: "header", Version: Version, Start: Seconds{h.Start}, Frequency: h.Frequency, Host: h.Host, Tool: versionJSON{h.Tool},
		Meter: meterJSON{
			Name: h.Meter.Name, Device: h.Meter.Device, Generation: info.Identity.Generation().String(),
			Serial: h.Meter.Serial, Hardware: h.Meter.Hardware, Firmware: h.Meter.Firmware,
			Calibration: calibrationJSON{EEPROM: &h.Meter.Calibrations},
		},
	}
	if cal, factory, err := h.Meter.Calibrations.InForce(); err == nil {
		c := &j.Meter.Calibration
		c.Date, c.Voltage, c.Current, c.Factory = cal.Date.String(), cal.Voltage, cal.Current, factory
	}
	if a := h.Meter.Address; !a.IsZero() {
		text := a.String()
		j.Meter.Address = &text
	}
	if h.Averaging > 0 {
		j.Averaging = &h.Averaging
	}
	text, err := json.Marshal(&j)
	return append(b, text...), err
}

// parseHeader reads a header of this version.
func parseHeader(line []byte) (Header, error) {
	var j headerJSON
	if err := json.Unmarshal(line, &j); err != nil {
		return Header{}, err
	}
	h := Header{
		Start: j.Start.Time, Frequency: j.Frequency, Tool: j.Tool.Version, Host: j.Host,
		Meter: Meter{
			Name: j.Meter.Name, Device: j.Meter.Device,
			Serial: j.Meter.Serial, Hardware: j.Meter.Hardware, Firmware: j.Meter.Firmware,
		},
	}
	if j.Meter.Address != nil {
		a, err := bdaddr.Parse(*j.Meter.Address)
		if err != nil {
			return Header{}, err
		}
		h.Meter.Address = a
	}
	if c := j.Meter.Calibration.EEPROM; c != nil {
		h.Meter.Calibrations = *c
	}
	if j.Averaging != nil {
		h.Averaging = *j.Averaging
	}
	return h, nil
}
