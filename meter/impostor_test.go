package meter

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bluez"
	"powerspy2/internal/harmless"
	"powerspy2/powerspy"
	"powerspy2/rfcomm"
)

func contextFor(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

func TestImpostor(t *testing.T) {
	hid := []string{"00001124-0000-1000-8000-00805F9B34FB"}
	spp := []string{"00001101-0000-1000-8000-00805f9b34fb"}
	tests := []struct {
		class uint32
		uuids []string
		want  string
	}{
		{0x001f00, nil, ""}, // a meter
		{0x000000, nil, ""}, // not known
		{0x001f00, spp, ""},
		{0x0c010c, spp, ""}, // a laptop that runs `powerspy sim`
		{0x002540, nil, "keyboard"},
		{0x000540, spp, "keyboard"},
		{0x5a020c, nil, "phone"},
		{0x240404, nil, "audio"},
		{0x040680, nil, "printer"},
		{0x001f00, hid, "keyboard"},
		{0x001f00, append(hid, spp...), "keyboard"},
	}
	for _, tt := range tests {
		got := impostor(bluez.Device{Class: tt.class, UUIDs: tt.uuids})
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("class 0x%06x, services %v: got %q, want %q", tt.class, tt.uuids, got, tt.want)
		}
	}
}

// What calls itself a PowerSpy and is none is not paired with unasked; what shows
// only later that it is none is forgotten again; nothing is trusted before it has
// answered as a meter does.
func TestOpenImpostor(t *testing.T) {
	with := func(change func(*fakeDevice)) *fakeDevice {
		d := newDevice()
		change(d)
		return d
	}
	keyboard := func(d *fakeDevice) { d.Class = 0x2540 }
	second := newDevice()
	second.Address, second.Name = otherMeter, "PowerSpy 9999"
	knownKeyboard := paired()
	knownKeyboard.Class, knownKeyboard.Trusted = 0x2540, false
	tests := []struct {
		name string
		cfg  Config
		air  []*fakeDevice
		err  error
		text string
		log  []string
	}{
		{
			name: "a keyboard", air: []*fakeDevice{with(keyboard)},
			err: ErrNotFound, text: "not a PowerSpy: it is a keyboard", log: []string{"discover hci0"},
		},
		{
			name: "a keyboard, by name", cfg: Config{Target: Target{Kind: Named, Name: "PowerSpy 4"}}, air: []*fakeDevice{with(keyboard)},
			err: ErrNotFound, text: "not a PowerSpy: it is a keyboard", log: []string{"discover hci0"},
		},
		{
			name: "a keyboard beside a meter", air: []*fakeDevice{with(keyboard), second},
			log: []string{"discover hci0", "pair with 1234", "dial 1"},
		},
		{
			name: "a keyboard that somebody paired with", air: []*fakeDevice{knownKeyboard},
			err: ErrNotFound, log: []string{"discover hci0"},
		},
		{
			name: "shows to be a keyboard when it is paired", air: []*fakeDevice{with(func(d *fakeDevice) { d.services = []string{humanDeviceUUID} })},
			err: ErrNotFound, text: "it offers to be a keyboard", log: []string{"discover hci0", "pair with 1234", "remove"},
		},
		{
			name: "no serial port", air: []*fakeDevice{with(func(d *fakeDevice) { d.dialErr, d.serviceErr = rfcomm.ErrRefused, rfcomm.ErrNoService })},
			err: rfcomm.ErrNoService, log: []string{"discover hci0", "pair with 1234", "dial 1", "remove"},
		},
		{
			name: "speaks another language", air: []*fakeDevice{with(func(d *fakeDevice) { d.meterConfig = "garbage-answer=?" })},
			err: powerspy.ErrNotUnderstood, log: []string{"discover hci0", "pair with 1234", "dial 1", "dial 1", "remove"},
		},
		{
			name: "silent, which a meter may be", air: []*fakeDevice{with(func(d *fakeDevice) { d.meterConfig = "mute=?" })},
			err: powerspy.ErrNoAnswer, log: []string{"discover hci0", "pair with 1234", "dial 1", "dial 1"},
		},
		{
			name: "asked for by its address, a printer", cfg: Config{Target: Target{Kind: Bluetooth, Address: testMeter}},
			air: []*fakeDevice{with(func(d *fakeDevice) {
				d.Class = 0x0680
				d.dialErr, d.serviceErr = rfcomm.ErrRefused, rfcomm.ErrNoService
			})},
			err: rfcomm.ErrNoService, log: []string{"discover hci0", "pair with 1234", "dial 1", "remove"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: tt.air}
				m, err := open(t.Context(), tt.cfg, h.host())
				if !errors.Is(err, tt.err) || err != nil && !strings.Contains(err.Error(), tt.text) {
					t.Errorf("got %v, want %v with %q", err, tt.err, tt.text)
				}
				if diff := cmp.Diff(tt.log, h.log); diff != "" {
					t.Errorf("unexpected calls (-want +got):\n%s", diff)
				}
				if err == nil {
					if err := m.Close(); err != nil {
						t.Error(err)
					}
				}
				for _, d := range h.air {
					if isMeter := err == nil && d.Address == m.Target().Address; d.Trusted != isMeter {
						t.Errorf("%s: trusted %v, is the meter %v", d.Name, d.Trusted, isMeter)
					}
				}
				if slices.Contains(tt.log, "remove") && h.air[0].Paired {
					t.Error("it is still paired")
				}
			})
		})
	}
}

// A meter that was found, and paired with, for a program that speaks to it by
// itself has answered as one before.
func TestLocateProves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: []*fakeDevice{d}}
		r, err := locate(t.Context(), Config{}, h.host())
		if err != nil {
			t.Fatal(err)
		}
		if !d.Trusted {
			t.Error("it is not trusted")
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		d.Trusted, d.Paired, d.meterConfig = false, false, "garbage-answer=?"
		if _, err := locate(t.Context(), Config{}, h.host()); !errors.Is(err, powerspy.ErrNotUnderstood) || d.Trusted || d.Paired {
			t.Errorf("got %v; trusted %v, paired %v", err, d.Trusted, d.Paired)
		}
	})
}

// A device's name is anybody's choice: it reaches no status, no error and no
// target as it is, and finds the device all the same.
func TestNamesAreHarmless(t *testing.T) {
	const name = "PowerSpy \x1b[2J\a\nroot: \u202egnp\xff"
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		d.Name, d.Alias = name, name
		other := newDevice()
		other.Name, other.Alias, other.Address = "PowerSpy \x1b]0;x\a", "PowerSpy \x1b]0;x\a", otherMeter
		h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: []*fakeDevice{d, other}}
		check := func(where, s string) {
			t.Helper()
			if err := harmless.Check(s); err != nil {
				t.Errorf("%s: %q is shown: %v", where, s, err)
			}
		}
		report := func(s Status) { check("status", s.Text) }
		_, err := open(t.Context(), Config{Report: report}, h.host())
		if err == nil {
			t.Fatal("chose one of two by itself")
		}
		check("error", err.Error())
		h.air = h.air[:1]
		m, err := open(t.Context(), Config{Report: report, Target: Target{Kind: Named, Name: `PowerSpy \x1b[2J`}}, h.host())
		if err != nil {
			t.Fatal(err)
		}
		check("target", m.Target().String())
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		check("doctor", diagnosed(t, h))
		ctx, cancel := contextFor(t, 15*time.Second)
		defer cancel()
		if err := scan(ctx, Config{}, func(c Candidate) { check("scan", c.Target.Name) }, h.host()); err != nil {
			t.Error(err)
		}
	})
}

// diagnosed returns all that a diagnosis says, on a line.
func diagnosed(t *testing.T, h *fakeHost) string {
	t.Helper()
	var said []string
	if err := diagnose(t.Context(), Config{}, func(c Check) { said = append(said, c.Detail) }, h.host()); err != nil {
		t.Error(err)
	}
	return strings.Join(said, "; ")
}
