package meter

import (
	"context"
	"errors"
	"slices"
	"sync"

	"powerspy2/bdaddr"
	"powerspy2/bluez"
	"powerspy2/internal/harmless"
)

// A sighting is a device as one adapter knows it.
type sighting struct {
	adapter bluez.Adapter
	device  bluez.Device
}

// saw makes a sighting. Names are anybody's choice, and made harmless here, where
// they come in.
func saw(a bluez.Adapter, d bluez.Device) sighting {
	d.Name, d.Alias = harmless.Text(d.Name), harmless.Text(d.Alias)
	return sighting{a, d}
}

// target returns what to remember of a sighting.
func (s sighting) target() Target {
	return Target{Kind: Bluetooth, Address: s.device.Address, Name: s.device.Name, Adapter: s.adapter.Address}
}

// byAddress puts the sightings of each device together, in the order of the first
// ones. There is one of each adapter at most.
func byAddress(sightings []sighting) [][]sighting {
	var devices [][]sighting
	for _, s := range sightings {
		i := slices.IndexFunc(devices, func(d []sighting) bool { return d[0].device.Address == s.device.Address })
		if i < 0 {
			devices = append(devices, []sighting{s})
		} else {
			devices[i] = append(devices[i], s)
		}
	}
	return devices
}

// known returns the devices that BlueZ knows through the given adapters, in the
// order of these.
func (f *finder) known(ctx context.Context, adapters []bluez.Adapter) ([]sighting, error) {
	devices, err := f.daemon.Devices(ctx)
	if err != nil {
		return nil, explainBlueZ("list the known devices", err)
	}
	var known []sighting
	for _, a := range adapters {
		for _, d := range devices {
			if a.ID == d.Adapter {
				known = append(known, saw(a, d))
			}
		}
	}
	return known, nil
}

// discover discovers with all of the given adapters at once, until found returns
// true (then the error is nil) or ctx ends (then it is the context's). found is
// not called concurrently. An adapter that fails leaves it to the others; the
// error is that of all when the last one did.
func (f *finder) discover(ctx context.Context, adapters []bluez.Adapter, found func(sighting) (stop bool)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex // held while found is called
	stopped := false
	errs := make([]error, len(adapters))
	var discoveries sync.WaitGroup
	for i, a := range adapters {
		discoveries.Go(func() {
			errs[i] = f.daemon.Discover(ctx, a.ID, func(d bluez.Device) bool {
				mu.Lock()
				defer mu.Unlock()
				if !stopped && found(saw(a, d)) {
					stopped = true
					cancel()
				}
				return stopped
			})
		})
	}
	discoveries.Wait()
	switch {
	case stopped:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return errors.Join(errs...)
}

// through says by which adapter, where there are several.
func through(adapters []bluez.Adapter, a bluez.Adapter) string {
	if len(adapters) < 2 {
		return ""
	}
	return " through " + a.ID
}

// adapterNamed returns the adapter with an address.
func adapterNamed(all []bluez.Adapter, address bdaddr.Address) (bluez.Adapter, bool) {
	i := slices.IndexFunc(all, func(a bluez.Adapter) bool { return a.Address == address })
	if i < 0 {
		return bluez.Adapter{}, false
	}
	return all[i], true
}
