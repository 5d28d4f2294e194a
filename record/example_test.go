package record_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

// Two seconds are recorded, and become readings of half a second.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "run.jsonl.zst")

	target, err := meter.ParseTarget("sim:load=constant,watts=200,drift=0,seed=1") // "": the meter that is in reach
	if err != nil {
		log.Fatal(err)
	}
	src, err := meter.Supervise(ctx, meter.Config{Target: target}, meter.StreamConfig{}, meter.Recovery{})
	if err != nil {
		log.Fatal(err)
	}
	file, err := record.OpenFile(ctx, path, record.FileConfig{})
	if err != nil {
		log.Fatal(err)
	}
	if err := file.Begin(record.NewHeader(src, "example 1.0")); err != nil {
		log.Fatal(err)
	}
	enough := &measure.Every{Interval: time.Second, Count: 2, Out: func(*measure.Event) error { return nil }}
	if _, err := measure.Run(ctx, src, file, enough); err != nil {
		log.Fatal(err)
	}
	if err := file.Close(); err != nil {
		log.Fatal(err)
	}

	recording, err := record.Open(ctx, path)
	if err != nil {
		log.Fatal(err)
	}
	_, err = measure.Run(ctx, recording, &measure.Every{Interval: time.Second / 2, Out: func(e *measure.Event) error {
		if e.Kind == measure.ReadingEvent {
			fmt.Printf("%.0f W\n", e.Reading.Power)
		}
		return nil
	}})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 200 W
	// 200 W
	// 200 W
	// 200 W
}
