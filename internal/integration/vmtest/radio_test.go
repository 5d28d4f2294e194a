//go:build integration && linux

package vmtest

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"powerspy2/bdaddr"
	"powerspy2/internal/harmless"
	"powerspy2/internal/integration/air"
	"powerspy2/powerspy/sim"
)

// A meter with a later radio module pairs by Secure Simple Pairing: no PIN, no
// question.
func TestIntegrationSimplePairing(t *testing.T) {
	m := Shared(t)
	meter := m.AddMeter(t, func(d *air.DeviceConfig, s *sim.Config) { constant(d, s); d.SimplePairing, d.PIN = true, "no PIN" })
	checkStatus(t, Run(t, Cmd{Args: []string{"setup"}}), 0)
	if s := meter.Status(); !s.Paired {
		t.Errorf("the meter has no key: %+v", s)
	}
	for _, flag := range []string{"Paired", "Trusted"} {
		if !m.DeviceFlag(t, meter.Address(), flag) {
			t.Errorf("the meter is not %s for BlueZ", flag)
		}
	}
	m.waitUnlinked(t, meter)
	r := Run(t, Cmd{Args: []string{"measure", "--count", "2", "--interval", "200ms"}})
	checkStatus(t, r, 0)
	checkPlain(t, r, 2, 2, 200*time.Millisecond)
}

// A meter that refuses to pair, and asks for no key, is used without, as it is
// told; the next time it is not asked again.
func TestIntegrationUnpaired(t *testing.T) {
	m := Shared(t)
	meter := m.AddMeter(t, func(d *air.DeviceConfig, s *sim.Config) { constant(d, s); d.NoPairing, d.SecurityMode = true, 1 })
	r := Run(t, Cmd{Args: []string{"setup"}})
	checkStatus(t, r, 0, "without pairing")
	if !strings.Contains(r.Text(), "without pairing") {
		t.Errorf("set-up does not tell how it is used: %v", r)
	}
	m.waitUnlinked(t, meter)
	r = Run(t, Cmd{Args: []string{"measure", "--count", "2", "--interval", "200ms"}})
	checkStatus(t, r, 0)
	checkPlain(t, r, 2, 2, 200*time.Millisecond)
	if strings.Contains(r.Stderr, "pairing with") {
		t.Errorf("it tried to pair again: %v", r)
	}
	if s := meter.Status(); s.Paired || m.DeviceFlag(t, meter.Address(), "Paired") {
		t.Errorf("it is paired all the same: %+v", s)
	}
}

// A keyboard with the name of a meter is not paired with.
func TestCommandImpostor(t *testing.T) {
	m := Shared(t)
	keyboard := m.AddMeter(t, func(d *air.DeviceConfig, s *sim.Config) { constant(d, s); d.Class = 0x2540 })
	for _, args := range [][]string{{"measure", "--count", "1"}, {"setup", "--device", "PowerSpy"}} {
		r := Run(t, Cmd{Args: args})
		checkStatus(t, r, 3, "keyboard", "powerspy scan")
	}
	if r := Run(t, Cmd{Args: []string{"scan"}}); strings.Contains(r.Text(), keyboard.Address().String()) {
		t.Errorf("scan lists it as a meter: %v", r)
	}
	if s := keyboard.Status(); s.Paired || m.DeviceFlag(t, keyboard.Address(), "Paired") || m.DeviceFlag(t, keyboard.Address(), "Trusted") {
		t.Errorf("it was paired with: %+v", s)
	}
}

// What has a meter's name and answers as none is not left paired or trusted.
func TestCommandNoMeter(t *testing.T) {
	m := Shared(t)
	device := m.AddMeter(t, func(d *air.DeviceConfig, s *sim.Config) { constant(d, s); s.Faults.Garbage = "?" })
	checkStatus(t, Run(t, Cmd{Args: []string{"setup"}}), 6)
	for _, flag := range []string{"Paired", "Trusted"} {
		if m.DeviceFlag(t, device.Address(), flag) {
			t.Errorf("it is left %s", flag)
		}
	}
}

// A name that would drive a terminal drives none.
func TestCommandNames(t *testing.T) {
	m := Shared(t)
	m.AddMeter(t, func(d *air.DeviceConfig, s *sim.Config) { constant(d, s); d.Name = "PowerSpy \x1b[2J\a\u202ex" })
	for _, args := range [][]string{{"scan"}, {"setup"}, {"measure", "--count", "1"}, {"info"}, {"doctor"}} {
		r := Run(t, Cmd{Args: args})
		checkStatus(t, r, 0)
		for line := range strings.Lines(r.Text() + r.Stderr) {
			if err := harmless.Check(strings.TrimSpace(line)); err != nil {
				t.Errorf("%v says %q: %v", args, line, err)
			}
		}
	}
}

// A second adapter, in whose reach the meter is: it is found through that one,
// and set up for it.
func TestIntegrationTwoAdapters(t *testing.T) {
	m := Shared(t)
	second := air.New(air.Config{Address: bdaddr.Address{0x00, 0x1a, 0x7d, 0xda, 0x71, 0x14}})
	second.SetInquiryUnit(quickInquiry)
	simCfg := sim.DefaultConfig()
	constant(nil, &simCfg)
	s := sim.New(simCfg)
	meter, err := second.Add(air.DeviceConfig{
		Address: bdaddr.Address{0x00, 0x0b, 0xce, 0x07, 0xee, 0x01}, Name: "PowerSpy 4567",
		Dial: func(ctx context.Context) (io.ReadWriteCloser, error) { return s.Dial(ctx) },
	})
	if err != nil {
		t.Fatal(err)
	}
	rw, err := air.OpenVHCI()
	if err != nil {
		t.Fatal(err)
	}
	ctx, unplug := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- second.Run(ctx, rw) }()
	t.Cleanup(func() {
		unplug()
		<-ended
		m.waitAdapter(t, hci1, false, false)
	})
	m.waitAdapter(t, hci1, true, true)

	r := Run(t, Cmd{Args: []string{"scan"}})
	checkStatus(t, r, 0)
	if want := fmt.Sprintf("PowerSpy 4567 (%s)", hci1); !strings.Contains(r.Text(), want) {
		t.Errorf("scan does not say %q: %v", want, r)
	}
	checkStatus(t, Run(t, Cmd{Args: []string{"setup"}}), 0, "through "+hci1)
	if !meter.Status().Paired {
		t.Error("the meter has no key")
	}
	r = Run(t, Cmd{Args: []string{"measure", "--count", "2", "--interval", "200ms"}})
	checkStatus(t, r, 0)
	checkPlain(t, r, 2, 2, 200*time.Millisecond)
}

// In a network namespace of its own a process has no Bluetooth, whatever the
// machine has.
func TestIntegrationNetworkNamespace(t *testing.T) {
	Shared(t)
	for _, args := range [][]string{{"measure", "--count", "1"}, {"setup"}, {"scan"}, {"doctor"}} {
		r := Run(t, Cmd{Program: []string{"unshare", "--user", "--net", hostDir + "/powerspy"}, Args: args})
		if said := r.Text() + r.Stderr; r.Status != 4 || !strings.Contains(said, "network namespace") || !strings.Contains(said, "--network host") {
			t.Errorf("%v: %v", args, r)
		}
	}
}
