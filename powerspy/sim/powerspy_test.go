package sim_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
)

// The project's client gets the truth from the simulator, on an ordinary link
// and on one that chops and spoils what it carries.
func TestClient(t *testing.T) {
	for name, spec := range map[string]string{
		"V1":    "gen=1,freq=49.985,stall=0,first=clean",
		"V2":    "freq=60.02,volts=117,first=clean",
		"noise": "noise=0.05,chop,seed=4,first=clean",
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := sim.ParseSpec(spec)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				m := sim.New(cfg)
				link, err := m.Dial(ctx)
				if err != nil {
					t.Fatal(err)
				}
				c := powerspy.NewClient(link, nil)
				defer c.Close()
				id, err := c.Identity(ctx)
				if err != nil || id.Serial != 4567 {
					t.Fatalf("got %+v, %v", id, err)
				}
				cals, err := c.Calibration(ctx, nil)
				if err != nil {
					t.Fatal(err)
				}
				cal, factory, err := cals.InForce()
				if err != nil || factory {
					t.Fatalf("got %+v, %t, %v", cal, factory, err)
				}
				f, err := c.Frequency(ctx)
				if err != nil || math.Abs(f-m.Frequency(time.Now())) > 0.005 {
					t.Errorf("got %g Hz, %v", f, err)
				}
				rt, err := c.StartRealtime(ctx, 5)
				if err != nil {
					t.Fatal(err)
				}
				n, got := -1, 0
				for got < 200 {
					frame, err := rt.Next(time.Now().Add(2 * time.Second))
					if err != nil {
						t.Fatal(err)
					}
					v := cal.Convert(frame.Frame)
					// A spoiled frame is missing: the one that came is a later one.
					for found := false; !found; {
						n++
						truth, ok := m.Truth(n)
						if !ok || truth.End.After(frame.Arrival) {
							t.Fatalf("%+v was never measured", v)
						}
						found = math.Abs(v.Power-truth.Power) < 5e-5 && math.Abs(v.Voltage-truth.Voltage) < 1e-3
					}
					got++
				}
				if lost := n + 1 - got; uint64(lost) > rt.Rejected()*2 || (lost > 0) != (cfg.Faults.Noise > 0) {
					t.Errorf("%d frames lost, %d rejected", lost, rt.Rejected())
				}
				if err := rt.Stop(ctx); err != nil {
					t.Error(err)
				}
				if m.Measuring() {
					t.Error("the meter goes on")
				}
			})
		})
	}
}
