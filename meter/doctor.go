package meter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"powerspy2/bluez"
	"powerspy2/internal/harmless"
	"powerspy2/powerspy"
)

// A Check is one line of a diagnosis.
type Check struct {
	Name    string // such as "adapter"
	OK      bool   // it is as measuring needs it
	Skipped bool   // it could not be tried, because an earlier one failed, or is not needed
	Detail  string // what was seen, or is wrong
	Err     error  // what is wrong, with its kind; nil unless it failed
}

// A diagnosis is what its checks have learnt so far.
type diagnosis struct {
	cfg    *Config
	host   host
	target Target

	adapters []string // of the kernel
	finder   *finder  // nil until BlueZ answers
	denied   error    // by the D-Bus policy, before that
	on       []bluez.Adapter
	meter    *Meter
	release  func() error // gives back the meter that was claimed; nil: none was
}

// errSkip ends a check that has nothing to say of this target.
var errSkip = errors.New("not needed")

// A check returns what was seen, errSkip, or what is wrong.
type check struct {
	name  string
	radio bool // it is about Bluetooth, and skipped for a meter that is reached otherwise
	run   func(*diagnosis, context.Context) (string, error)
}

// checks are in the order in which measuring needs what they look at.
var checks = []check{
	{"kernel", true, (*diagnosis).kernel},
	{"adapter", true, (*diagnosis).adapter},
	{"rfkill", true, (*diagnosis).rfkill},
	{"service", true, (*diagnosis).service},
	{"rights", true, (*diagnosis).rights},
	{"power", true, (*diagnosis).power},
	{"pairing", true, (*diagnosis).pairing},
	{"reach", true, (*diagnosis).reach},
	{"connection", false, (*diagnosis).connection},
	{"identity", false, (*diagnosis).identity},
	{"calibration", false, (*diagnosis).calibration},
	{"mains", false, (*diagnosis).mains},
}

// Diagnose checks, from the kernel up to the meter's calibration, what
// measuring needs, and reports each check as it is done. It changes nothing:
// it neither pairs nor switches anything on. The error is that of the first
// check that failed, and matches one of the sentinels of this package; nil when
// all is well. Of a machine that is not ready it is the error that [Open] and
// [Scan] end with.
func Diagnose(ctx context.Context, cfg Config, report func(Check)) error {
	return diagnose(ctx, cfg, report, system)
}

func diagnose(ctx context.Context, cfg Config, report func(Check), h host) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	d := &diagnosis{cfg: &cfg, host: h, target: cfg.Target}
	if r, ok := recall(d.target, cfg.Remembered); ok {
		d.target = r
	}
	defer d.close()
	var first error
	for _, c := range checks {
		if first != nil {
			report(Check{Name: c.name, Skipped: true, Detail: "not tried"})
			continue
		}
		detail, err := "", errSkip
		if !c.radio || d.wireless() {
			detail, err = c.run(d, ctx)
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("check %s: %w", c.name, ctx.Err())
		case errors.Is(err, errSkip):
			report(Check{Name: c.name, Skipped: true, Detail: cmp.Or(detail, "not needed for "+d.target.String())})
		case err != nil:
			failed := Check{Name: c.name, Detail: err.Error(), Err: err}
			if e := (*Error)(nil); errors.As(err, &e) {
				failed.Detail = e.Err.Error()
			}
			report(failed)
			first = err
		default:
			report(Check{Name: c.name, OK: true, Detail: detail})
		}
	}
	return first
}

// close ends what the checks opened. There is nothing to lose in it.
func (d *diagnosis) close() {
	if d.meter != nil {
		_ = d.meter.Close()
	}
	if d.release != nil {
		_ = d.release()
	}
	if d.finder != nil {
		d.finder.close()
	}
}

// wireless reports whether the target is reached by Bluetooth.
func (d *diagnosis) wireless() bool {
	return d.target.Kind == Any || d.target.Kind == Named || d.target.Kind == Bluetooth
}

func (d *diagnosis) kernel(context.Context) (string, error) {
	return "Bluetooth and RFCOMM are there and alive", d.host.checkKernel()
}

func (d *diagnosis) adapter(context.Context) (_ string, err error) {
	d.adapters, err = d.host.checkAdapters()
	return strings.Join(d.adapters, ", "), err
}

func (d *diagnosis) rfkill(context.Context) (string, error) {
	id, err := d.host.checkSwitches(d.adapters)
	return id + " is not blocked", err
}

func (d *diagnosis) service(ctx context.Context) (string, error) {
	daemon, err := d.host.bus(ctx)
	if errors.Is(err, os.ErrPermission) {
		d.denied = err
		return "bluetoothd is on the bus, its state is the next check", nil
	}
	if err != nil {
		return "", d.host.explainService(err)
	}
	d.finder = &finder{cfg: d.cfg, host: d.host, daemon: daemon}
	return "bluetoothd is on the bus", nil
}

func (d *diagnosis) rights(ctx context.Context) (_ string, err error) {
	if d.denied != nil {
		return "", d.host.explainService(d.denied)
	}
	if d.finder.all, err = d.finder.daemon.Adapters(ctx); err != nil {
		return "", d.host.explainService(err)
	}
	return "this user may talk to it", nil
}

func (d *diagnosis) power(ctx context.Context) (_ string, err error) {
	if len(d.finder.all) == 0 {
		return "", d.host.lacks(ctx, nil)
	}
	if d.on, err = d.finder.usable(d.target); err != nil {
		return "", err
	}
	names := make([]string, len(d.on))
	for i, a := range d.on {
		names[i] = fmt.Sprintf("%s (%s)", a.ID, a.Address)
	}
	return strings.Join(names, ", ") + " on", nil
}

func (d *diagnosis) pairing(ctx context.Context) (string, error) {
	if d.target.Unpaired {
		return d.target.String() + " is used without pairing, which it refuses", nil
	}
	known, err := d.finder.known(ctx, d.on)
	if err != nil {
		return "", err
	}
	paired := slices.DeleteFunc(known, func(s sighting) bool { return !s.device.Paired || !d.finder.wanted(d.target, s.device) })
	if len(paired) == 0 {
		return "", &Error{Kind: ErrNotFound, Op: "pairing", Err: fmt.Errorf("%s is %w", d.target, ErrNotPaired)}
	}
	noQuestions := *d.cfg
	noQuestions.Choose = nil
	d.finder.cfg = &noQuestions
	one, err := d.finder.choose(ctx, byAddress(paired))
	if err != nil {
		return "", err
	}
	channel := d.target.Channel
	d.target = one[0].target()
	d.target.Channel = channel
	if !one[0].device.Trusted {
		return "", &Error{Kind: ErrNotReady, Op: "pairing", Err: &UntrustedError{d.target}}
	}
	return d.target.String() + " is paired and trusted", nil
}

// reach looks by which adapter the meter answers, as connecting does.
func (d *diagnosis) reach(ctx context.Context) (string, error) {
	var first error
	for _, a := range d.on {
		name, err := d.host.radio.Present(ctx, a.Address, d.target.Address)
		if err == nil {
			d.target.Adapter = a.Address
			return fmt.Sprintf("%s responds over Bluetooth%s", cmp.Or(harmless.Text(name), d.target.String()), through(d.on, a)), nil
		}
		first = cmp.Or(first, err)
	}
	return "", explain("reach", first)
}

func (d *diagnosis) connection(ctx context.Context) (_ string, err error) {
	if d.release, err = d.cfg.claim(d.target); err != nil {
		return "", err
	}
	if !d.wireless() {
		l, err := openLink(ctx, d.target)
		if err != nil {
			return "", err
		}
		d.attach(l)
		return d.target.String() + " is open", nil
	}
	l, err := d.cfg.dialChannel(ctx, d.host.radio, &d.target)
	if err != nil {
		return "", explainConnect("connection", err, d.host.radio)
	}
	d.attach(l)
	return fmt.Sprintf("RFCOMM channel %d is open", d.target.Channel), nil
}

func (d *diagnosis) attach(l powerspy.Link) {
	d.meter = &Meter{
		target: d.target,
		client: powerspy.NewClient(l, &powerspy.Config{Trace: tracer(d.cfg.Trace)}),
	}
}

func (d *diagnosis) identity(ctx context.Context) (string, error) {
	if err := d.meter.initialise(ctx, nil); err != nil {
		return "", explain("identity", err)
	}
	id := d.meter.info.Identity
	return fmt.Sprintf("PowerSpy serial %d, firmware 0x%02x, hardware 0x%02x (%s)", id.Serial, id.Firmware, id.Hardware, id.Generation()), nil
}

func (d *diagnosis) calibration(context.Context) (string, error) {
	if d.meter.info.UsesFactory {
		return "", &Error{Op: "calibration", Err: ErrFactoryCalibration}
	}
	c := d.meter.calibration
	return fmt.Sprintf("sane (%.6g V and %.6g A a count)", c.Voltage, c.Current), nil
}

func (d *diagnosis) mains(context.Context) (string, error) {
	return fmt.Sprintf("%.2f Hz", d.meter.info.Frequency), nil
}
