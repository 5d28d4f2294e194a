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
	notices     []Status     // what a person has not been told yet
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

// Close closes the link and gives the meter back to others. It does not stop a
// stream first: see [Stream.Stop]. The error is that of closing or giving back.
func (m *Meter) Close() error {
	err := m.client.Close()
	if m.release != nil {
		err = errors.Join(err, m.release())
	}
	return err
}

// initialise reads what is needed to understand the meter's frames. known is what
// was learnt of the meter that was there before; nil: nothing. A client that died
// may have left the meter streaming; it is told to stop first.
func (m *Meter) initialise(ctx context.Context, known *Facts) error {
	id, err := m.client.Identity(ctx)
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	if id.Status == powerspy.Streaming {
		if err := m.client.Stop(ctx); err != nil {
			return fmt.Errorf("stop an earlier stream: %w", err)
		}
	}
	m.info = Info{Target: m.target, Identity: id}
	if err := m.readCalibration(ctx, known); err != nil {
		return fmt.Errorf("calibration: %w", err)
	}
	if err := m.readFrequency(ctx); err != nil {
		return err
	}
	return m.checkLock(ctx)
}

func (m *Meter) readFrequency(ctx context.Context) error {
	f, err := m.client.Frequency(ctx)
	if err != nil {
		return fmt.Errorf("mains frequency: %w", err)
	}
	m.info.Frequency = f
	return nil
}

// readCalibration reads the calibration and chooses the one in force. What is
// known of the same meter spares a second reading.
func (m *Meter) readCalibration(ctx context.Context, known *Facts) error {
	var remembered *powerspy.Calibrations
	if known != nil && known.of(m.info.Identity) {
		remembered = &known.Calibrations
	}
	cals, err := m.client.Calibration(ctx, remembered)
	if err != nil {
		return err
	}
	cal, factory, err := cals.InForce()
	if err != nil {
		return err
	}
	m.calibration = cal
	m.info.Calibrations, m.info.UsesFactory = cals, factory
	m.compare(known)
	return nil
}

// checkLock notices a meter that is not locked to the mains, which two answers
// have to say.
func (m *Meter) checkLock(ctx context.Context) error {
	for range 2 {
		if m.info.Identity.PLLLocked {
			return nil
		}
		id, err := m.client.Identity(ctx)
		if err != nil {
			return fmt.Errorf("identity: %w", err)
		}
		m.info.Identity.PLLLocked = id.PLLLocked
	}
	if !m.info.Identity.PLLLocked {
		m.notice("the meter's PLL is not locked to the mains: its readings may be wrong")
	}
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
