package meter

import (
	"context"
	"errors"
	"fmt"

	"powerspy2/powerspy"
)

// Info is what a meter says of itself.
type Info struct {
	Target       Target                // the meter that is connected, never Any or Named
	Identity     powerspy.Identity     // as told before anything was started
	Calibrations powerspy.Calibrations // both, as they stand in the EEPROM
	UsesFactory  bool                  // the current calibration is not sane, the factory's is in force
	Frequency    float64               // mains frequency in Hz, 40 to 70
}

// A Meter is an open link to an initialised meter.
type Meter struct {
	target      Target
	client      *powerspy.Client
	info        Info
	calibration powerspy.Calibration
	release     func() error // gives back what Config.Claim took; nil: nothing
}

// Target returns where the meter was found. It is what to remember for the
// next time.
func (m *Meter) Target() Target { return m.target }

// Info returns what the meter said of itself when it was opened.
func (m *Meter) Info() Info { return m.info }

// Client returns the client that the meter is spoken to with, for what this
// package has no word for. It is closed with the meter.
func (m *Meter) Client() *powerspy.Client { return m.client }

// Calibration returns the calibration in force.
func (m *Meter) Calibration() powerspy.Calibration { return m.calibration }

// explain is the error of a job on the meter, for people.
func (m *Meter) explain(op string, err error) error {
	return explain(op+" of "+m.target.String(), m.target.silent(err))
}

// generation is what decides about what the meter can do.
func (m *Meter) generation() powerspy.Generation { return m.info.Identity.Generation() }

// Close closes the link and gives the meter back to others. It does not stop a
// stream first: see [Stream.Stop]. The error is that of closing or giving back.
func (m *Meter) Close() error {
	err := m.client.Close()
	if m.release != nil {
		err = errors.Join(err, m.release())
	}
	return err
}

// initialise reads what is needed to understand the meter's frames, but for
// what is known of the same meter from an earlier link, which may be nil. A
// client that died may have left the meter streaming; it is told to stop first.
func (m *Meter) initialise(ctx context.Context, known *Meter) error {
	id, err := m.client.Identity(ctx)
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	if id.Status == powerspy.Streaming {
		if err := m.client.Stop(ctx); err != nil {
			return fmt.Errorf("stop an earlier stream: %w", err)
		}
	}
	if known != nil && sameMeter(id, known.info.Identity) {
		m.calibration, m.info = known.calibration, known.info
		m.info.Identity = id
	} else if err := m.readCalibration(ctx, id); err != nil {
		return fmt.Errorf("calibration: %w", err)
	}
	return m.readFrequency(ctx)
}

func (m *Meter) readFrequency(ctx context.Context) error {
	f, err := m.client.Frequency(ctx, m.generation())
	if err != nil {
		return fmt.Errorf("mains frequency: %w", err)
	}
	m.info.Frequency = f
	return nil
}

// sameMeter tells whether two identities are those of one meter.
func sameMeter(a, b powerspy.Identity) bool {
	return a.Serial == b.Serial && a.Hardware == b.Hardware && a.Firmware == b.Firmware
}

func (m *Meter) readCalibration(ctx context.Context, id powerspy.Identity) error {
	cals, err := m.client.Calibration(ctx)
	if err != nil {
		return err
	}
	cal, factory, err := cals.InForce()
	if err != nil {
		return err
	}
	m.calibration = cal
	m.info = Info{Target: m.target, Identity: id, Calibrations: cals, UsesFactory: factory}
	return nil
}

// Resolution returns the step of power in W in which the meter counts.
func (i Info) Resolution() float64 {
	cal, _, err := i.Calibrations.InForce()
	if err != nil {
		return 0 // no meter that was opened is without
	}
	return cal.Voltage * cal.Current
}
