package meter

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/powerspy/sim"
)

func mustParse(t *testing.T, device string) Target {
	t.Helper()
	target, err := ParseTarget(device)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// Opening a simulated target again reaches the meter as it was left, as it
// would a real one; another target is another meter.
func TestOpenSimulatedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const device = "sim:away=10s/1m"
		target := mustParse(t, device)
		first, err := target.Simulator()
		if err != nil {
			t.Fatal(err)
		}
		open := func() error {
			m, err := Open(t.Context(), Config{Target: target})
			if err != nil {
				return err
			}
			if !first.Connected() {
				t.Error("another meter was opened")
			}
			return m.Close()
		}
		if err := open(); err != nil {
			t.Fatal(err)
		}
		first.Silence(true)
		if err := open(); !errors.Is(err, ErrNoAnswer) {
			t.Errorf("silent: got %v", err)
		}
		first.Silence(false)
		time.Sleep(10 * time.Second)
		if err := open(); !errors.Is(err, ErrNotFound) || !errors.Is(err, sim.ErrAway) {
			t.Errorf("away: got %v", err)
		}
		time.Sleep(time.Minute)
		if err := open(); err != nil {
			t.Errorf("back: %v", err)
		}
		second, err := mustParse(t, device).Simulator()
		if err != nil || second == first {
			t.Errorf("another target is the same meter (%v)", err)
		}
		if !target.Equal(mustParse(t, device)) {
			t.Error("targets that say the same are not equal")
		}
	})
}

func TestSimulatorByHand(t *testing.T) {
	if _, err := (Target{Kind: Simulated, Sim: "load=cat"}).Simulator(); err == nil {
		t.Error("a load of no shape passes")
	}
	if m, err := (Target{Kind: Simulated, Sim: "gen=1"}).Simulator(); err != nil || m.Config().Generation != sim.V1 {
		t.Errorf("got %v", err)
	}
}
