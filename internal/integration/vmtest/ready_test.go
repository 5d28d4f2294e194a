//go:build integration && linux

package vmtest

import (
	"strings"
	"testing"
	"time"
)

// promptly is how long a command may take to say that the machine is not
// ready: it is to notice, not to run into a time-out. In a slow guest.
const promptly = 10 * time.Second

// checkNotReady checks that measuring, setting up, scanning and the doctor all say
// why this machine is not ready, with these words, and what to do.
func checkNotReady(t *testing.T, user User, words ...string) {
	t.Helper()
	for _, args := range [][]string{{"measure", "--count", "1"}, {"setup"}, {"scan"}, {"doctor"}} {
		r := Run(t, Cmd{Args: args, User: user})
		if r.Status != 4 {
			t.Errorf("%v: want exit status 4; %v", args, r)
		}
		said := strings.ToLower(r.Text() + r.Stderr)
		for _, w := range words {
			if !strings.Contains(said, strings.ToLower(w)) {
				t.Errorf("%v does not say %q: %v", args, w, r)
			}
		}
		if r.Elapsed > promptly {
			t.Errorf("%v took %v", args, r.Elapsed)
		}
	}
}

// checkMeasures checks that it measures now.
func checkMeasures(t *testing.T, user User) {
	t.Helper()
	r := Run(t, Cmd{Args: []string{"measure", "--pin", "1234", "--count", "2", "--interval", "200ms"}, User: user})
	checkStatus(t, r, 0)
	checkPlain(t, r, 2, 2, 200*time.Millisecond)
}

func TestIntegrationDoctor(t *testing.T) {
	m := Shared(t)
	m.AddMeter(t, constant)
	checkStatus(t, Run(t, Cmd{Args: []string{"setup", "--pin", "1234"}}), 0)
	r := Run(t, Cmd{Args: []string{"doctor"}})
	checkStatus(t, r, 0)
	if strings.Contains(r.Text(), "FAIL") {
		t.Errorf("all is well, but: %v", r)
	}
	t.Logf("doctor after %v:\n%s", r.Elapsed.Round(time.Millisecond), r.Text())
}

func TestIntegrationPolicyRefuses(t *testing.T) {
	m := Shared(t)
	m.AddMeter(t, constant)
	m.RestrictPolicy(t)
	checkNotReady(t, Ordinary(), "group bluetooth", "sudo usermod -aG bluetooth user")
	// Who is in the group is not refused.
	checkMeasures(t, Member(t))
}

func TestIntegrationAdapterOff(t *testing.T) {
	m := Shared(t)
	m.AddMeter(t, constant)
	m.SetPowered(t, false)
	t.Cleanup(func() { m.SetPowered(t, true) })
	checkNotReady(t, Ordinary(), "switched off", "bluetoothctl power on")
	m.SetPowered(t, true)
	checkMeasures(t, Ordinary())
}

func TestIntegrationAdapterBlocked(t *testing.T) {
	m := Shared(t)
	m.AddMeter(t, constant)
	m.Block(t, true)
	t.Cleanup(func() { m.Block(t, false) })
	checkNotReady(t, Ordinary(), "rfkill unblock bluetooth")
	m.Block(t, false)
	checkMeasures(t, Ordinary())
}

func TestIntegrationNoAdapter(t *testing.T) {
	m := Shared(t)
	m.Unplug(t)
	checkNotReady(t, Ordinary(), "no Bluetooth adapter")
}

func TestIntegrationNoDaemon(t *testing.T) {
	m := Shared(t)
	m.AddMeter(t, constant)
	m.StopDaemon(t)
	t.Cleanup(func() {
		if m.daemon == nil {
			m.StartDaemon(t)
		}
	})
	checkNotReady(t, Ordinary(), "bluetoothd", "systemctl")
	m.StartDaemon(t)
	checkMeasures(t, Ordinary())
}
