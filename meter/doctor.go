package meter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"powerspy2/bluez"
	"powerspy2/powerspy"
	"powerspy2/rfcomm"
)

// A Check is one line of a diagnosis.
type Check struct {
	Name    string // such as "adapter"
	OK      bool   // it is as measuring needs it
	Skipped bool   // it could not be tried, because an earlier one failed, or is not needed
	Detail  string // what was seen, or is wrong
	Err     error  // what is wrong, with its kind; nil unless it failed
}

// A patient is what a diagnosis has learnt so far.
type patient struct {
	cfg    *Config
	host   host
	sys    fs.FS
	kernel func() error // state of the kernel's RFCOMM

	target   Target
	adapters []string // of the kernel
	daemon   daemon
	all      []bluez.Adapter
	place    place
	meter    *Meter
	release  func() error // gives back the meter that was claimed; nil: none was
}

// errSkip ends a check that has nothing to say of this target.
var errSkip = errors.New("not needed")

// A step does one check. It returns what was seen, errSkip, or what is wrong.
type step struct {
	name string
	run  func(*patient, context.Context) (string, error)
}

var steps = []step{
	{"kernel", (*patient).checkKernel},
	{"adapter", (*patient).checkAdapter},
	{"rfkill", (*patient).checkRfkill},
	{"service", (*patient).checkService},
	{"rights", (*patient).checkRights},
	{"power", (*patient).checkPower},
	{"pairing", (*patient).checkPairing},
	{"reach", (*patient).checkReach},
	{"connection", (*patient).checkConnection},
	{"identity", (*patient).checkIdentity},
	{"calibration", (*patient).checkCalibration},
	{"mains", (*patient).checkMains},
}

// Diagnose checks, from the kernel up to the meter's calibration, what
// measuring needs, and reports each check as it is done. It changes nothing:
// it neither pairs nor switches anything on. The error is that of the first
// check that failed, and matches one of the sentinels of this package; nil when
// all is well.
func Diagnose(ctx context.Context, cfg Config, report func(Check)) error {
	p := &patient{
		cfg: &cfg, host: system, sys: sysfs(),
		kernel: func() error { _, err := rfcomm.KernelState(); return err },
	}
	return p.diagnose(ctx, report)
}

func (p *patient) diagnose(ctx context.Context, report func(Check)) error {
	if err := p.cfg.Validate(); err != nil {
		return err
	}
	p.target = p.cfg.Target
	if r, ok := recall(p.target, p.cfg.Remembered); ok {
		p.target = r
	}
	defer p.close()
	var first error
	for _, t := range steps {
		if first != nil {
			report(Check{Name: t.name, Skipped: true, Detail: "not tried"})
			continue
		}
		detail, err := t.run(p, ctx)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("check %s: %w", t.name, ctx.Err())
		case errors.Is(err, errSkip):
			report(Check{Name: t.name, Skipped: true, Detail: cmp.Or(detail, "not needed for "+p.target.String())})
		case err != nil:
			c := Check{Name: t.name, Detail: err.Error(), Err: err}
			if e := (*Error)(nil); errors.As(err, &e) {
				c.Detail = e.Err.Error()
			}
			report(c)
			first = err
		default:
			report(Check{Name: t.name, OK: true, Detail: detail})
		}
	}
	return first
}

// close ends what the checks opened. There is nothing to lose in it.
func (p *patient) close() {
	if p.meter != nil {
		_ = p.meter.Close()
	}
	if p.release != nil {
		_ = p.release()
	}
	if p.daemon != nil {
		_ = p.daemon.Close()
	}
}

// wireless tells whether the target is reached by Bluetooth.
func (p *patient) wireless() bool {
	return p.target.Kind == Any || p.target.Kind == Named || p.target.Kind == Bluetooth
}

func (p *patient) checkKernel(context.Context) (string, error) {
	if !p.wireless() {
		return "", errSkip
	}
	if err := p.kernel(); err != nil {
		return "", explain("kernel", err)
	}
	return "Bluetooth and RFCOMM are there and alive", nil
}

func (p *patient) checkAdapter(context.Context) (string, error) {
	if !p.wireless() {
		return "", errSkip
	}
	p.adapters = kernelAdapters(p.sys)
	if len(p.adapters) == 0 {
		return "", &Error{Kind: ErrNotReady, Op: "adapter", Err: ErrNoAdapter}
	}
	return strings.Join(p.adapters, ", "), nil
}

func (p *patient) checkRfkill(context.Context) (string, error) {
	if !p.wireless() {
		return "", errSkip
	}
	var blocked *Error
	for _, id := range p.adapters {
		b := adapterBlock(p.sys, id)
		if b == unblocked {
			return id + " is not blocked", nil
		}
		blocked = blockedError("rfkill", id, b)
	}
	return "", blocked
}

func (p *patient) checkService(ctx context.Context) (string, error) {
	if !p.wireless() {
		return "", errSkip
	}
	d, err := p.host.bus(ctx)
	if errors.Is(err, os.ErrPermission) {
		return "bluetoothd is on the bus, its state is the next check", nil
	}
	if err != nil {
		return "", err
	}
	p.daemon = d
	return "bluetoothd is on the bus", nil
}

func (p *patient) checkRights(ctx context.Context) (string, error) {
	if !p.wireless() {
		return "", errSkip
	}
	if p.daemon == nil {
		_, err := p.host.bus(ctx)
		return "", cmp.Or(err, denied("rights", os.ErrPermission))
	}
	all, err := p.daemon.Adapters(ctx)
	if err != nil {
		return "", explainBlueZ("rights", err)
	}
	p.all = all
	return "this user may talk to it", nil
}

func (p *patient) checkPower(ctx context.Context) (string, error) {
	if !p.wireless() {
		return "", errSkip
	}
	f := &finder{cfg: p.cfg, daemon: p.daemon, radio: p.host.radio}
	on, err := f.adapters(ctx, p.target)
	if err != nil {
		return "", err
	}
	names := make([]string, len(on))
	for i, a := range on {
		names[i] = fmt.Sprintf("%s (%s)", a.ID, a.Address)
	}
	p.all = on
	return strings.Join(names, ", ") + " on", nil
}

func (p *patient) checkPairing(ctx context.Context) (string, error) {
	if !p.wireless() {
		return "", errSkip
	}
	f := &finder{cfg: p.cfg, daemon: p.daemon, radio: p.host.radio}
	known, err := f.known(ctx, p.all)
	if err != nil {
		return "", err
	}
	var paired []place
	for _, k := range known {
		match := wanted(p.target, k.device)
		if p.target.Kind == Bluetooth {
			match = k.device.Address == p.target.Address
		}
		if match && k.device.Paired {
			paired = append(paired, k)
		}
	}
	if len(paired) == 0 {
		return "", &Error{Kind: ErrNotFound, Op: "pairing", Err: fmt.Errorf("%s is %w", p.target, ErrNotPaired)}
	}
	noQuestions := *p.cfg
	noQuestions.Choose = nil
	f.cfg = &noQuestions
	if p.place, err = f.choose(ctx, paired); err != nil {
		return "", err
	}
	channel := p.target.Channel
	p.target = p.place.target()
	p.target.Channel = channel
	if !p.place.device.Trusted {
		return "", &Error{Kind: ErrNotReady, Op: "pairing", Err: &UntrustedError{p.target}}
	}
	return p.target.String() + " is paired and trusted", nil
}

func (p *patient) checkReach(ctx context.Context) (string, error) {
	if !p.wireless() {
		return "", errSkip
	}
	name, err := p.host.radio.Present(ctx, p.place.adapter.Address, p.target.Address)
	if err != nil {
		return "", explain("reach", err)
	}
	return fmt.Sprintf("%s responds over Bluetooth", cmp.Or(name, p.target.String())), nil
}

func (p *patient) checkConnection(ctx context.Context) (_ string, err error) {
	if p.release, err = p.cfg.claim(p.target); err != nil {
		return "", err
	}
	if !p.wireless() {
		l, err := openLink(ctx, p.target)
		if err != nil {
			return "", err
		}
		p.attach(l)
		return p.target.String() + " is open", nil
	}
	l, err := p.cfg.dialChannel(ctx, p.host.radio, &p.target)
	if err != nil {
		return "", explainConnect("connection", err, p.host.radio)
	}
	p.attach(l)
	return fmt.Sprintf("RFCOMM channel %d is open", p.target.Channel), nil
}

func (p *patient) attach(l powerspy.Link) {
	p.meter = &Meter{
		target: p.target,
		client: powerspy.NewClient(l, &powerspy.Config{Trace: tracer(p.cfg.Trace)}),
	}
}

func (p *patient) checkIdentity(ctx context.Context) (string, error) {
	if err := p.meter.initialise(ctx, nil); err != nil {
		return "", explain("identity", err)
	}
	id := p.meter.info.Identity
	return fmt.Sprintf("PowerSpy serial %d, firmware 0x%02x, hardware 0x%02x (%s)", id.Serial, id.Firmware, id.Hardware, id.Generation()), nil
}

func (p *patient) checkCalibration(context.Context) (string, error) {
	if p.meter.info.UsesFactory {
		return "", &Error{Op: "calibration", Err: ErrFactoryCalibration}
	}
	c := p.meter.calibration
	return fmt.Sprintf("sane (%.6g V and %.6g A a count)", c.Voltage, c.Current), nil
}

func (p *patient) checkMains(context.Context) (string, error) {
	return fmt.Sprintf("%.2f Hz", p.meter.info.Frequency), nil
}
