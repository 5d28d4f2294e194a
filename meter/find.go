package meter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"powerspy2/bdaddr"
	"powerspy2/bluez"
	"powerspy2/internal/harmless"
)

const (
	// discoveryTime bounds a discovery. One inquiry lasts 10.24 s, and names
	// come only after it, so this is two of them with their names.
	discoveryTime = 30 * time.Second
	// othersTime is how long a discovery goes on after the first meter was
	// found, in case there are several.
	othersTime = 2 * time.Second
	// appearTime bounds the wait for a device that answered its page to show
	// up in a discovery.
	appearTime = 25 * time.Second
)

// A finder finds, pairs and connects to a meter by Bluetooth.
type finder struct {
	cfg    *Config
	host   host
	daemon daemon
	all    []bluez.Adapter // of this machine
}

// newFinder connects to BlueZ. The finder must be closed.
func newFinder(ctx context.Context, cfg *Config, h host) (*finder, error) {
	d, all, err := h.bluetooth(ctx)
	if err != nil {
		return nil, err
	}
	return &finder{cfg: cfg, host: h, daemon: d, all: all}, nil
}

// close hangs up, which takes away nothing that was found.
func (f *finder) close() { _ = f.daemon.Close() }

// A finding is a meter that may be connected to.
type finding struct {
	target  Target
	ours    bool // it was paired with just now, on the word of its name
	trusted bool // by BlueZ
}

// find finds the meter and pairs with it when that is needed.
func (f *finder) find(ctx context.Context, t Target) (finding, error) {
	adapters, err := f.usable(t)
	if err != nil {
		return finding{target: t}, err
	}
	s, err := f.locate(ctx, t, adapters)
	if err != nil {
		return finding{target: t}, err
	}
	if t.Kind == Bluetooth {
		t.Name = cmp.Or(s.device.Name, t.Name)
		t.Adapter = s.adapter.Address
	} else {
		t = s.target()
	}
	found := finding{target: t, trusted: s.device.Trusted}
	switch {
	case s.device.Paired:
		found.target.Unpaired = false
	case !t.Unpaired:
		if found.target.Unpaired, err = f.pairOrNot(ctx, s, t); err != nil {
			return found, err
		}
		found.ours = !found.target.Unpaired
	}
	return found, nil
}

// usable returns the adapters that may be used and are on, the one that the
// target was last reached through first.
func (f *finder) usable(t Target) ([]bluez.Adapter, error) {
	var on []bluez.Adapter
	var off error
	for _, a := range f.all {
		switch {
		case f.cfg.Adapter != "" && !adapterIs(a, f.cfg.Adapter):
		case !a.Powered:
			off = cmp.Or(off, f.host.adapterOff(a))
		case a.Address == t.Adapter:
			on = slices.Insert(on, 0, a)
		default:
			on = append(on, a)
		}
	}
	switch {
	case len(on) > 0:
		return on, nil
	case off != nil:
		return nil, off
	}
	names := make([]string, len(f.all))
	for i, a := range f.all {
		names[i] = fmt.Sprintf("%s (%s)", a.ID, a.Address)
	}
	return nil, &Error{
		Kind: ErrNotReady, Op: opBluetooth, Err: fmt.Errorf("this machine has no adapter %s; it has %s", f.cfg.Adapter, strings.Join(names, ", ")),
	}
}

// adapterIs reports whether an adapter goes by this identifier or address.
func adapterIs(a bluez.Adapter, s string) bool {
	if a.ID == s {
		return true
	}
	addr, err := bdaddr.Parse(s)
	return err == nil && addr == a.Address
}

// locate finds the device that is meant, and the adapter to reach it through:
// one that BlueZ is paired with, else by calling its address, else by discovery.
func (f *finder) locate(ctx context.Context, t Target, adapters []bluez.Adapter) (sighting, error) {
	known, err := f.known(ctx, adapters)
	if err != nil {
		return sighting{}, err
	}
	paired := slices.DeleteFunc(known, func(s sighting) bool { return !s.device.Paired || !f.wanted(t, s.device) })
	switch {
	case t.Kind == Bluetooth:
		return f.answering(ctx, t, paired, adapters)
	case len(paired) == 0:
		return f.lookAround(ctx, t, adapters)
	}
	one, err := f.choose(ctx, byAddress(paired))
	if err != nil {
		return sighting{}, err
	}
	return f.answering(ctx, one[0].target(), one, adapters)
}

// wanted reports whether a device is meant.
func (f *finder) wanted(t Target, d bluez.Device) bool {
	switch t.Kind {
	case Bluetooth:
		return d.Address == t.Address
	case Named:
		return (hasPrefixFold(d.Name, t.Name) || hasPrefixFold(d.Alias, t.Name)) && impostor(d) == ""
	}
	return (IsPowerSpy(d.Name) || IsPowerSpy(d.Alias)) && impostor(d) == ""
}

// answering returns by which adapter a device of a known address is to be
// reached: by the only one that is paired with it, unless there are others, which
// it may be in reach of; then by the first that it answers, of those that are
// paired with it before the rest.
//
// A device that is absent costs a page timeout (5.12 s) of each adapter, where a
// discovery would take half a minute to say so.
func (f *finder) answering(ctx context.Context, t Target, paired []sighting, adapters []bluez.Adapter) (sighting, error) {
	if len(adapters) == 1 && len(paired) == 1 {
		return paired[0], nil
	}
	var first error
	call := func(a bluez.Adapter) (ok bool) {
		f.cfg.report(Connecting, "calling %s%s", t, through(adapters, a))
		name, err := f.host.radio.Present(ctx, a.Address, t.Address)
		if first == nil {
			first = err
		}
		t.Name = cmp.Or(harmless.Text(name), t.Name)
		return err == nil
	}
	for _, s := range paired {
		if call(s.adapter) {
			return s, nil
		}
	}
	for _, a := range adapters {
		if ctx.Err() != nil || slices.ContainsFunc(paired, func(s sighting) bool { return s.adapter == a }) || !call(a) {
			continue
		}
		if t.Unpaired {
			return sighting{a, bluez.Device{Adapter: a.ID, Address: t.Address, Name: t.Name}}, nil
		}
		return f.appear(ctx, t, a)
	}
	return sighting{}, explain("find "+t.String(), first)
}

// appear waits until a device that is there shows up in a discovery, which is
// what makes BlueZ know it.
func (f *finder) appear(ctx context.Context, t Target, a bluez.Adapter) (sighting, error) {
	f.cfg.report(Discovering, "looking for %s", t)
	dctx, cancel := context.WithTimeout(ctx, appearTime)
	defer cancel()
	var seen sighting
	err := f.discover(dctx, []bluez.Adapter{a}, func(s sighting) bool {
		if s.device.Address != t.Address {
			return false
		}
		s.device.Name = cmp.Or(s.device.Name, t.Name)
		seen = s
		return true
	})
	if err == nil {
		return seen, nil
	}
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return sighting{}, &Error{Kind: ErrNotFound, Op: "find " + t.String(), Err: ErrHidden}
	}
	return sighting{}, explainBlueZ("find "+t.String(), err)
}

// lookAround looks for meters in range, with all adapters. It ends soon after
// the first one, and asks when there are several.
func (f *finder) lookAround(ctx context.Context, t Target, adapters []bluez.Adapter) (sighting, error) {
	what := "a PowerSpy"
	if t.Kind == Named {
		what = fmt.Sprintf("a device named %s", t.Name)
	}
	f.cfg.report(Discovering, "looking for %s (up to %v; names take over ten seconds)", what, discoveryTime)
	dctx, cancel := context.WithTimeout(ctx, discoveryTime)
	defer cancel()
	others := time.AfterFunc(discoveryTime, cancel)
	defer others.Stop()
	var found []sighting
	var lastImpostor *ImpostorError
	impostors := make(map[bdaddr.Address]bool)
	err := f.discover(dctx, adapters, func(s sighting) bool {
		same := func(o sighting) bool { return o.device.Address == s.device.Address && o.adapter == s.adapter }
		switch {
		case !s.device.InRange || slices.ContainsFunc(found, same):
		case f.wanted(t, s.device):
			if found = append(found, s); len(found) == 1 {
				others.Reset(othersTime)
			}
			f.cfg.report(Discovering, "found %s (%s)%s", cmp.Or(s.device.Name, s.device.Alias), s.device.Address, through(adapters, s.adapter))
		case !impostors[s.device.Address]:
			bare := s.device
			bare.Class, bare.UUIDs = 0, nil
			if f.wanted(t, bare) {
				impostors[s.device.Address] = true
				lastImpostor = &ImpostorError{s.target(), impostor(s.device)}
				f.cfg.report(Discovering, "%v", lastImpostor)
			}
		}
		return false
	})
	switch {
	case len(found) > 0 && ctx.Err() == nil:
		one, err := f.choose(ctx, byAddress(found))
		if err != nil {
			return sighting{}, err
		}
		return slices.MaxFunc(one, func(a, b sighting) int { return cmp.Compare(a.device.RSSI, b.device.RSSI) }), nil
	case ctx.Err() != nil, !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled):
		return sighting{}, explainBlueZ("look for "+what, err)
	case lastImpostor != nil:
		return sighting{}, &Error{Kind: ErrNotFound, Op: "look for " + what, Err: lastImpostor}
	}
	return sighting{}, &Error{
		Kind: ErrNotFound, Op: "look for " + what, Err: fmt.Errorf("%w within %v", ErrNoneAnswered, discoveryTime),
	}
}

// choose settles which of several devices is meant.
func (f *finder) choose(ctx context.Context, devices [][]sighting) ([]sighting, error) {
	if len(devices) == 1 {
		return devices[0], nil
	}
	targets := make([]Target, len(devices))
	for i, sightings := range devices {
		targets[i] = sightings[0].target()
	}
	if f.cfg.Choose == nil {
		return nil, &Error{Kind: ErrUsage, Op: "choose a meter", Err: &SeveralError{targets}}
	}
	i, err := f.cfg.Choose(ctx, targets)
	if err != nil {
		return nil, explain("choose a meter", err)
	}
	if i < 0 || i >= len(devices) {
		return nil, &Error{Kind: ErrUsage, Op: "choose a meter", Err: fmt.Errorf("there is no number %d", i+1)}
	}
	return devices[i], nil
}

// isUnknown reports whether BlueZ forgot a device, as it does with one that is not
// paired half a minute after it was seen.
func isUnknown(err error) bool { return errors.Is(err, os.ErrNotExist) }
