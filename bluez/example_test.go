package bluez_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"powerspy2/bluez"
)

// The first PowerSpy that appears is paired with its PIN and trusted. This
// needs a radio, so that it is compiled and not run.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c, err := bluez.Dial(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	const adapter = "hci0"
	var meter bluez.Device
	err = c.Discover(ctx, adapter, func(d bluez.Device) (stop bool) {
		meter = d // an old device comes without its name first, and again with it
		return strings.HasPrefix(d.Name, "PowerSpy")
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		log.Fatal("none is in reach: ", err)
	case errors.Is(err, bluez.ErrNotReady):
		log.Fatal("switch the adapter on: ", err)
	case err != nil:
		log.Fatal(err)
	}

	err = c.Pair(ctx, adapter, meter.Address, func(context.Context) (string, error) { return "1234", nil })
	switch {
	case errors.Is(err, bluez.ErrAuthFailed):
		log.Fatal("is the PIN right? ", err)
	case err != nil && !errors.Is(err, bluez.ErrAlreadyPaired):
		log.Fatal(err)
	}
	if err := c.SetTrusted(ctx, adapter, meter.Address, true); err != nil {
		log.Fatal(err)
	}
	fmt.Println("paired with", meter.Name, meter.Address)
}

// What happens to adapters and devices, from now on.
func ExampleClient_Watch() {
	ctx := context.Background()
	c, err := bluez.Dial(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	w, err := c.Watch(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	for {
		e, err := w.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		switch e.Kind {
		case bluez.AdapterRemoved:
			fmt.Println(e.Adapter.ID, "was unplugged")
		case bluez.DeviceChanged:
			fmt.Println(e.Device.Address, e.Changed)
		}
	}
}
