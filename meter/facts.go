package meter

import (
	"fmt"
	"math"
	"time"

	"powerspy2/powerspy"
)

// Facts are what is worth remembering of a meter: they tell it from others, one
// reading of its calibration then is enough, and windows that were too short for
// it are not tried again.
type Facts struct {
	Serial       uint16                `json:"serial"`       // serial number
	Hardware     uint8                 `json:"hardware"`     // version; 0x02 is the first generation
	Firmware     uint8                 `json:"firmware"`     // version
	Calibrations powerspy.Calibrations `json:"calibrations"` // both, as they stand in the EEPROM

	// Averaging is the length of the shortest windows in mains periods that the
	// meter keeps up with, by the way in which it was reached then; 0: shorter
	// ones than an interval asks for were never too short.
	Averaging int `json:"averaging,omitempty"`
}

// Facts returns what is worth remembering of the meter, but for Averaging.
func (i *Info) Facts() Facts {
	id := i.Identity
	return Facts{Serial: id.Serial, Hardware: id.Hardware, Firmware: id.Firmware, Calibrations: i.Calibrations}
}

// of reports whether the facts are those of the meter with an identity.
func (f *Facts) of(id powerspy.Identity) bool {
	return id.SameMeter(powerspy.Identity{Serial: f.Serial, Hardware: f.Hardware, Firmware: f.Firmware})
}

// equal compares what the meter says of itself, by bits: a calibration that was never
// written is not a number.
func (f *Facts) equal(g Facts) bool {
	a, errA := f.Calibrations.MarshalText()
	b, errB := g.Calibrations.MarshalText()
	return errA == nil && errB == nil && string(a) == string(b) &&
		f.Serial == g.Serial && f.Hardware == g.Hardware && f.Firmware == g.Firmware
}

// oddCalibration is the share by which a user's calibration may differ from the
// factory's before that is noticed. Calibrating corrects some percent.
const oddCalibration = 0.1

// compare notices what is odd about the meter beside what is known.
func (m *Meter) compare(known *Facts) {
	now := m.info.Facts()
	switch {
	case known == nil || known.equal(now):
	case known.Serial != now.Serial:
		m.notice("another meter answers there: serial number %d, where %d was before", now.Serial, known.Serial)
	case known.of(m.info.Identity):
		m.notice("the meter was calibrated since it was last used, on %s", m.calibration.Date)
	default:
		m.notice("the meter has other firmware or hardware than when it was last used (firmware 0x%02x, hardware 0x%02x)", now.Firmware, now.Hardware)
	}
	factory := m.info.Calibrations.Factory
	if m.info.UsesFactory || !factory.Sane() {
		return
	}
	volts, amperes := m.calibration.Voltage/factory.Voltage-1, m.calibration.Current/factory.Current-1
	if max(math.Abs(volts), math.Abs(amperes)) > oddCalibration {
		m.notice("the meter's calibration differs from the factory's by %+.0f %% in voltage and %+.0f %% in current; check it against a known load",
			100*volts, 100*amperes)
	}
}

// notice keeps something that a person should know.
func (m *Meter) notice(format string, args ...any) {
	m.notices = append(m.notices, Status{Time: time.Now(), Phase: Noticed, Text: fmt.Sprintf(format, args...)})
}
