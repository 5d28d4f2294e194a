package meter_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"powerspy2/meter"
)

// Ten windows of a tenth of a second each. With ParseTarget("") it is whichever
// meter is paired or in reach; here it is the simulated one, with a load of
// 200 W. Package measure makes readings of any interval of windows.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	target, err := meter.ParseTarget("sim:link=ideal,first=clean,load=constant,watts=200,drift=0,seed=1")
	if err != nil {
		log.Fatal(err)
	}
	m, err := meter.Open(ctx, meter.Config{Target: target})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	s, err := m.Stream(ctx, meter.StreamConfig{Averaging: 5}) // mains periods
	if err != nil {
		log.Fatal(err)
	}
	for n := 0; n < 10; {
		event, err := s.Next()
		if err != nil {
			log.Fatal(err)
		}
		switch event.Kind {
		case meter.WindowEvent:
			n++
			fmt.Printf("%.0f W\n", event.Window.Power)
		case meter.GapEvent: // nothing was measured then: not the same as 0 W
			fmt.Println("gap:", event.Gap.Reason)
		}
	}
	if err := s.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 200 W
	// 200 W
	// 200 W
	// 200 W
	// 200 W
	// 200 W
	// 200 W
	// 200 W
	// 200 W
	// 200 W
}

// A meter that this computer has never seen is found and paired. This needs a
// radio, so that it is compiled and not run.
func ExampleSetup() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	m, err := meter.Setup(ctx, meter.Config{
		PIN: "1234",
		Report: func(s meter.Status) {
			fmt.Println(s.Text)
		},
	})
	switch {
	case errors.Is(err, meter.ErrNotFound):
		log.Fatal("is it plugged in? ", err)
	case errors.Is(err, meter.ErrPairing):
		log.Fatal("is the PIN right? ", err)
	case err != nil:
		log.Fatal(err)
	}
	defer m.Close()
	// The next program finds it at once when it is given this target, or its
	// address as text.
	fmt.Println(m.Target().Address, m.Info().Identity.Serial)
}

// The meters in range, as they appear. This needs a radio, too.
func ExampleScan() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := meter.Scan(ctx, meter.Config{}, func(c meter.Candidate) {
		if c.PowerSpy {
			fmt.Println(c.Target.Address, c.Target.Name, c.Paired)
		}
	})
	if err != nil {
		log.Fatal(err)
	}
}

// A measurement that recovers by itself: here the link is cut after
// three seconds, which costs a gap.
func ExampleSupervise() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	target, err := meter.ParseTarget("sim:link=ideal,first=clean,load=constant,watts=200,drift=0,drop=3s,seed=1")
	if err != nil {
		log.Fatal(err)
	}
	s, err := meter.Supervise(ctx, meter.Config{Target: target},
		meter.StreamConfig{},
		meter.Recovery{GiveUpAfter: 30 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	for after := 0; after == 0; {
		event, err := s.Next()
		if err != nil {
			log.Fatal(err) // given up, or ctx ended
		}
		switch event.Kind {
		case meter.GapEvent:
			after++
			fmt.Println("a gap, which is not 0 W")
		case meter.StatusEvent:
			log.Println(event.Status.Text)
		}
	}
	if err := s.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// a gap, which is not 0 W
}
