package measure_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
)

func work(context.Context) error {
	time.Sleep(time.Second)
	return nil
}

// The energy of a function.
func ExampleEnergy() {
	ctx := context.Background()
	target, err := meter.ParseTarget("sim:load=constant,watts=200,drift=0,seed=1") // "": the meter that is in reach
	if err != nil {
		log.Fatal(err)
	}
	src, err := meter.Supervise(ctx, meter.Config{Target: target}, meter.StreamConfig{}, meter.Recovery{})
	if err != nil {
		log.Fatal(err)
	}
	span, err := measure.Energy(ctx, src, work)
	if err != nil || span.Coverage() < 1 {
		log.Fatal("not all of it was measured: ", err)
	}
	log.Printf("%.3f J +- %.3f J", span.Energy, span.Uncertainty.Expanded())
	fmt.Printf("%.0f W on average\n", span.Power())
	// Output:
	// 200 W on average
}

// Readings of a second and of a fifth of one, from one stream.
func ExampleRun() {
	ctx := context.Background()
	target, err := meter.ParseTarget("sim:load=constant,watts=200,drift=0,seed=1")
	if err != nil {
		log.Fatal(err)
	}
	src, err := meter.Supervise(ctx, meter.Config{Target: target}, meter.StreamConfig{}, meter.Recovery{})
	if err != nil {
		log.Fatal(err)
	}
	short := 0
	_, err = measure.Run(ctx, src,
		&measure.Every{Interval: 200 * time.Millisecond, Out: func(e *measure.Event) error {
			if e.Kind == measure.ReadingEvent {
				short++
			}
			return nil
		}},
		&measure.Every{Interval: time.Second, Count: 2, Out: func(e *measure.Event) error {
			if e.Kind == measure.ReadingEvent {
				fmt.Printf("%.0f W, after %d short ones\n", e.Reading.Power, short)
			}
			return nil
		}})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 200 W, after 5 short ones
	// 200 W, after 10 short ones
}

// The energy of the parts of a job.
func ExampleTotals() {
	ctx := context.Background()
	target, err := meter.ParseTarget("sim:load=constant,watts=200,drift=0,seed=1")
	if err != nil {
		log.Fatal(err)
	}
	src, err := meter.Supervise(ctx, meter.Config{Target: target}, meter.StreamConfig{}, meter.Recovery{})
	if err != nil {
		log.Fatal(err)
	}
	watch := measure.StartWatch(ctx, src, new(measure.History))
	if err := watch.Flows(ctx); err != nil {
		log.Fatal(err)
	}
	var marks []measure.Mark
	from := time.Now()
	for _, name := range []string{"load", "compute", "load"} {
		marks = append(marks, measure.Mark{Time: time.Now(), Name: name})
		_ = work(ctx)
	}
	to := time.Now()
	watch.Settle(ctx, to, measure.Patience)
	phases := watch.History.Phases(measure.Phases(marks, from, to))
	if _, err := watch.Stop(); err != nil {
		log.Fatal(err)
	}
	for _, t := range measure.Totals(phases) {
		fmt.Printf("%s: %d times, %.0f W on average\n", t.Name, t.Times, t.Power())
	}
	// Output:
	// load: 2 times, 200 W on average
	// compute: 1 times, 200 W on average
}
