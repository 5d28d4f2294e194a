package meter

import (
	"context"
	"errors"
	"sync"

	"powerspy2/bluez"
)

// A Candidate is a device that a scan saw.
type Candidate struct {
	Target    Target // Name is empty until the device has told it, which takes over ten seconds
	RSSI      int16  // received signal strength in dBm; valid with InRange
	InRange   bool   // it was seen during this scan
	Paired    bool   // the Bluetooth service has a key of it
	Trusted   bool   // it may connect without a question
	Connected bool   // there is a radio link to it, of whatever program
	PowerSpy  bool   // its name says so
}

// Scan reports the devices in the air, and those that are paired, until ctx
// ends: each as soon as it appears, and again when its name or state changes.
// That ctx ended is no error. found is never called concurrently. Of cfg only
// Adapter counts. Errors match [ErrNotReady], or [ErrUsage] for a Config that
// makes no sense. See package bluez, Client.Discover.
func Scan(ctx context.Context, cfg Config, found func(Candidate)) error {
	return scan(ctx, cfg, found, system)
}

func scan(ctx context.Context, cfg Config, found func(Candidate), h host) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	d, err := h.bus(ctx)
	if err != nil {
		return err
	}
	defer d.Close() // nothing is lost when hanging up fails
	f := &finder{cfg: &cfg, daemon: d, radio: h.radio}
	adapters, err := f.adapters(ctx, Target{})
	if err != nil {
		return err
	}
	known, err := f.known(ctx, adapters)
	if err != nil {
		return err
	}
	seen := make(map[Target]Candidate)
	var mu sync.Mutex
	tell := func(p place) bool {
		c := p.candidate()
		key := Target{Address: c.Target.Address, Adapter: c.Target.Adapter}
		mu.Lock()
		defer mu.Unlock()
		if old, ok := seen[key]; ok && sameButSignal(old, c) {
			return false
		}
		seen[key] = c
		found(c)
		return false
	}
	for _, p := range known {
		if p.device.Paired {
			tell(p)
		}
	}
	errs := make([]error, len(adapters))
	var wg sync.WaitGroup
	for i, a := range adapters {
		wg.Go(func() {
			errs[i] = d.Discover(ctx, a.ID, func(dev bluez.Device) bool { return tell(place{a, dev}) })
		})
	}
	wg.Wait()
	err = errors.Join(errs...)
	if ctx.Err() != nil {
		return nil
	}
	return explainBlueZ("scan", err)
}

// sameButSignal tells that nothing changed that a person would want to hear
// of: the signal strength changes with every inquiry.
func sameButSignal(a, b Candidate) bool {
	a.RSSI, b.RSSI = 0, 0
	return a == b
}

func (p place) candidate() Candidate {
	d := p.device
	return Candidate{
		Target: p.target(), RSSI: d.RSSI, InRange: d.InRange,
		Paired: d.Paired, Trusted: d.Trusted, Connected: d.Connected,
		PowerSpy: IsPowerSpy(d.Name) || IsPowerSpy(d.Alias),
	}
}
