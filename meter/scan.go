package meter

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"powerspy2/bdaddr"
)

// A Candidate is a device that a scan saw. Its name is its own choice, made
// harmless to show.
type Candidate struct {
	Target    Target // Name is empty until the device has told it, which takes over ten seconds; Adapter is the one to use
	RSSI      int16  // received signal strength in dBm, of the adapter that hears it best; valid with InRange
	InRange   bool   // it was seen during this scan
	Paired    bool   // the Bluetooth service has a key of it
	Trusted   bool   // it may connect without a question
	Connected bool   // there is a radio link to it, of whatever program
	PowerSpy  bool   // its name says so, and nothing speaks against it
	Via       string // the adapters that hear or know it, such as "hci0, hci1"; empty on a machine with one that is on
}

// Scan reports the devices in range, and those that are paired, until ctx
// ends: each as soon as it appears, and again when its name or state changes.
// All adapters that are on listen; a device that several hear is one Candidate.
// That ctx ended is not an error. found is never called concurrently. Of cfg only
// Adapter counts. Errors match [ErrNotReady], or [ErrUsage] for a Config that
// makes no sense. See package bluez, Client.Discover.
func Scan(ctx context.Context, cfg Config, found func(Candidate)) error {
	return scan(ctx, cfg, found, system)
}

func scan(ctx context.Context, cfg Config, found func(Candidate), h host) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	f, err := newFinder(ctx, &cfg, h)
	if err != nil {
		return err
	}
	defer f.close()
	adapters, err := f.usable(Target{})
	if err != nil {
		return err
	}
	known, err := f.known(ctx, adapters)
	if err != nil {
		return err
	}
	seen := make(map[bdaddr.Address][]sighting)
	told := make(map[bdaddr.Address]Candidate)
	tell := func(s sighting) {
		a := s.device.Address
		i := slices.IndexFunc(seen[a], func(o sighting) bool { return o.adapter == s.adapter })
		if i < 0 {
			seen[a] = append(seen[a], s)
		} else {
			seen[a][i] = s
		}
		c := candidate(seen[a], len(adapters) > 1)
		if old, ok := told[a]; !ok || !sameButSignal(old, c) {
			told[a] = c
			found(c)
		}
	}
	for _, s := range known {
		if s.device.Paired {
			tell(s)
		}
	}
	err = f.discover(ctx, adapters, func(s sighting) bool { tell(s); return false })
	if ctx.Err() != nil {
		return nil
	}
	return explainBlueZ("scan", err)
}

// sameButSignal reports whether nothing changed that a person would want to hear
// of: the signal strength, and which adapter hears a device best, change with
// every inquiry.
func sameButSignal(a, b Candidate) bool {
	a.RSSI, b.RSSI = 0, 0
	a.Target.Adapter, b.Target.Adapter = bdaddr.Address{}, bdaddr.Address{}
	return a == b
}

// candidate makes one of the sightings of a device.
func candidate(sightings []sighting, several bool) Candidate {
	sightings = slices.Clone(sightings)
	slices.SortStableFunc(sightings, func(a, b sighting) int {
		return cmp.Or(preference(b)-preference(a), cmp.Compare(b.device.RSSI, a.device.RSSI))
	})
	c := Candidate{Target: sightings[0].target()}
	var via []string
	for _, s := range sightings {
		d := s.device
		c.Target.Name = cmp.Or(c.Target.Name, d.Name)
		if d.InRange && (!c.InRange || d.RSSI > c.RSSI) {
			c.InRange, c.RSSI = true, d.RSSI
		}
		c.Paired, c.Trusted, c.Connected = c.Paired || d.Paired, c.Trusted || d.Trusted, c.Connected || d.Connected
		c.PowerSpy = c.PowerSpy || (IsPowerSpy(d.Name) || IsPowerSpy(d.Alias)) && impostor(d) == ""
		via = append(via, s.adapter.ID)
	}
	if several {
		slices.Sort(via)
		c.Via = strings.Join(via, ", ")
	}
	return c
}

// preference orders sightings: a paired one counts more than one that is heard.
func preference(s sighting) int {
	switch {
	case s.device.Paired:
		return 2
	case s.device.InRange:
		return 1
	}
	return 0
}
