//go:build integration && linux

package vmtest

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"powerspy2/bdaddr"
	"powerspy2/internal/integration/air"
	"powerspy2/powerspy/sim"
)

// Another program connects to a meter that is not there. On Linux 6.1.192
// (Debian's 6.1.0-55 and -56) this kills the kernel's RFCOMM, and every connect
// hangs from then on: powerspy has to say so, and not to hang. On other kernels
// nothing has happened, and it measures.
func TestIntegrationAloneForeignConnect(t *testing.T) {
	m := Shared(t)
	m.AddMeter(t, constant)
	checkStatus(t, Run(t, Cmd{Args: []string{"setup", "--pin", "1234"}}), 0)
	m.Doom(t)

	for range 5 { // the kernel's fault is a race, which it loses nearly always
		err := connectRFCOMM(t, bdaddr.Address{0x00, 0x0b, 0xce, 0x07, 0xff, 0xfe}, 1)
		if !errors.Is(err, syscall.EHOSTDOWN) {
			t.Fatalf("connecting to an absent meter: %v, want %v", err, syscall.EHOSTDOWN)
		}
		if !KernelRFCOMMAlive(t) {
			break
		}
	}
	measure := Cmd{Args: []string{"measure", "--count", "2", "--interval", "200ms"}}
	if !m.dooms {
		r := Run(t, measure)
		checkStatus(t, r, 0)
		checkPlain(t, r, 2, 2, 200*time.Millisecond)
		return
	}
	if KernelRFCOMMAlive(t) {
		t.Fatalf("Linux %s survived failed connects", kernelRelease(t))
	}
	for _, args := range [][]string{measure.Args, {"info"}, {"doctor"}} {
		r := Run(t, Cmd{Args: args, Timeout: 20 * time.Second})
		if said := r.Text() + r.Stderr; r.Status != 4 || !strings.Contains(said, "reboot") {
			t.Errorf("%v: want exit status 4 and word of a reboot: %v", args, r)
		}
		if r.Elapsed > promptly {
			t.Errorf("%v took %v", args, r.Elapsed)
		}
	}
}

// Another computer is connected to the meter, which tells its name but refuses
// links: told at once, again and again, and measured with as soon as it is free.
// Nothing of it kills the kernel's RFCOMM, also where a failed connect may: only
// the forerunner's life is lost to it.
func TestIntegrationAloneBusyElsewhere(t *testing.T) {
	m := Shared(t)
	meter := m.AddMeter(t, constant)
	measure := Cmd{Args: []string{"measure", "--pin", "1234", "--count", "2", "--interval", "200ms"}, Timeout: 30 * time.Second}
	checkStatus(t, Run(t, measure), 0)
	for range 3 { // the kernel's fault is a race
		m.waitUnlinked(t, meter)
		meter.SetBusy(true)
		r := Run(t, measure)
		if !KernelRFCOMMAlive(t) {
			t.Fatalf("the kernel's RFCOMM is dead: %v", r)
		}
		checkStatus(t, r, 6, "connected")
		if r.Elapsed > promptly {
			t.Errorf("it took %v", r.Elapsed)
		}
		t.Logf("told after %v", r.Elapsed.Round(time.Millisecond))
	}
	meter.SetBusy(false)
	r := Run(t, measure)
	checkStatus(t, r, 0)
	checkPlain(t, r, 2, 2, 200*time.Millisecond)
}

// A key that the meter has forgotten, or replaced, is healed by pairing again, also
// where the meter asks for it while the link comes up, and where the connect that
// fails for it would kill the kernel's RFCOMM.
func TestIntegrationAloneForgottenKey(t *testing.T) {
	for _, how := range []struct {
		name string
		mode int
		lose func(*air.Device)
	}{
		{"forgotten", 2, (*air.Device).ForgetKey},
		{"replaced", 2, (*air.Device).CorruptKey},
		{"forgotten, asked for at link set-up", 3, (*air.Device).ForgetKey},
		{"replaced, asked for at link set-up", 3, (*air.Device).CorruptKey},
	} {
		survived := t.Run(how.name, func(t *testing.T) {
			m := Shared(t)
			meter := m.AddMeter(t, func(d *air.DeviceConfig, s *sim.Config) { constant(d, s); d.SecurityMode = how.mode })
			measure := Cmd{Args: []string{"measure", "--pin", "1234", "--count", "2", "--interval", "200ms"}}
			checkStatus(t, Run(t, measure), 0)
			m.waitUnlinked(t, meter)
			how.lose(meter.Device)
			r := Run(t, measure)
			if !KernelRFCOMMAlive(t) {
				t.Fatalf("the kernel's RFCOMM is dead: %v", r)
			}
			checkStatus(t, r, 0)
			checkPlain(t, r, 2, 2, 200*time.Millisecond)
			if strings.Contains(r.Stderr, "reboot") {
				t.Errorf("it speaks of a reboot: %v", r)
			}
			if !meter.Status().Paired || !m.DeviceFlag(t, meter.Address(), "Paired") || !m.DeviceFlag(t, meter.Address(), "Trusted") {
				t.Error("it measured, but is not paired and trusted again")
			}
			t.Logf("healed: first reading after %v", r.Stdout[0].At.Round(time.Millisecond))
		})
		if !survived || !KernelRFCOMMAlive(t) {
			break // what follows would tell nothing
		}
	}
}

// The main path through an air that is none of ours: btvirt's two controllers,
// one of them the meter of `powerspy sim --rfcomm`.
func TestIntegrationAloneBtvirt(t *testing.T) {
	m, meter := Btvirt(t)
	r := Run(t, Cmd{Args: []string{
		"measure", "--adapter", hci0, "--pin", "1234", "--duration", "10s", "--interval", "1s", "--format", "plain",
	}})
	checkStatus(t, r, 0)
	checkPlain(t, r, 9, 11, time.Second)
	for _, flag := range []string{"Paired", "Trusted"} {
		if !m.DeviceFlag(t, meter, flag) {
			t.Errorf("the meter is not %s for BlueZ", flag)
		}
	}
	r = Run(t, Cmd{Args: []string{"measure", "--count", "5", "--interval", "200ms"}})
	checkStatus(t, r, 0)
	checkPlain(t, r, 5, 5, 200*time.Millisecond)
	if first := r.Stdout[0].At; first > knownFirst {
		t.Errorf("the first reading came after %v, want %v at most", first, knownFirst)
	}
}
