package main

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	"powerspy2/powerspy/sim"
)

// TestInterruptedStart: who is interrupted before the first window stops the meter,
// which has begun to measure.
func TestInterruptedStart(t *testing.T) {
	for _, args := range [][]string{
		{"measure"}, {"measure", "--live", "--averaging", "1"}, {"gmt"}, {"gmt", "-c"}, {"recover"}, {"doctor", "--stream"}, {"fieldtest", "-o", filepath.Join(t.TempDir(), "field.json")},
		{"run", "true"}, {"run", "--duration", "10s"}, {"bench", "true"}, {"baseline"}, {"serve", "--listen", "127.0.0.1:0"},
		{"measure", "--record", filepath.Join(t.TempDir(), "run.jsonl")},
	} {
		t.Run(args[0], func(t *testing.T) {
			m := sim.New(sim.Config{First: sim.First{After: time.Hour}})
			device := serveMeter(t, m)
			home := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			begun := make(chan bool)
			go func() {
				for !m.Measuring() && ctx.Err() == nil {
					time.Sleep(time.Millisecond)
				}
				begun <- m.Measuring()
				cancel()
			}()
			var out, errs bytes.Buffer
			ended := make(chan int)
			go func() {
				ended <- run(ctx, env{
					args: append([]string{"powerspy", "--device", device}, args...), stdout: &out, stderr: &errs,
					getenv:    func(k string) string { return map[string]string{"HOME": home, "XDG_RUNTIME_DIR": home}[k] },
					interrupt: func() {},
				})
			}()
			select {
			case <-begun:
			case status := <-ended:
				t.Fatalf("ended with %d before the meter measured: %s%s", status, &out, &errs)
			}
			<-ended
			if m.Measuring() {
				t.Errorf("the meter still measures: %s", &errs)
			}
		})
	}
}
