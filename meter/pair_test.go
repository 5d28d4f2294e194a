package meter

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bluez"
	"powerspy2/rfcomm"
)

// How a meter refuses a PIN decides what is tried next: a pairing that it breaks
// off counts like a wrong PIN, one that it refuses whatever the PIN is not asked
// about, and one that refuses everything is tried once without pairing.
func TestPairRefusals(t *testing.T) {
	typed := func(pin string) func(context.Context, Target) (string, error) {
		return func(context.Context, Target) (string, error) { return pin, nil }
	}
	tests := []struct {
		name     string
		cfg      Config
		change   func(*fakeDevice)
		err      error
		text     string
		final    bool
		unpaired bool
		log      []string
	}{
		{
			name: "breaks off, the next usual PIN is right", change: func(d *fakeDevice) { d.pin, d.refuses = "0000", bluez.ErrAuthCanceled },
			log: []string{"pair with 1234", "pair with 0000", "dial 1"},
		},
		{
			name: "breaks off each time", change: func(d *fakeDevice) { d.pin, d.refuses = "7777", bluez.ErrAuthCanceled },
			err: bluez.ErrAuthCanceled, text: "wrong PIN",
			log: []string{"pair with 1234", "pair with 0000", "dial 1 unpaired"},
		},
		{
			name: "breaks off, a PIN was given", cfg: Config{PIN: "5555"}, change: func(d *fakeDevice) { d.pin, d.refuses = "7777", bluez.ErrAuthCanceled },
			err: bluez.ErrAuthCanceled, text: "the PIN that was given",
			log: []string{"pair with 5555", "dial 1 unpaired"},
		},
		{
			name: "breaks off before it has the PIN", change: func(d *fakeDevice) { d.pairErr = bluez.ErrAuthCanceled },
			err: bluez.ErrAuthCanceled, text: "broke off",
		},
		{
			name: "wrong PINs, wants a key", change: func(d *fakeDevice) { d.pin = "7777" },
			err: ErrPairing, text: "usual PINs", final: true,
			log: []string{"pair with 1234", "pair with 0000", "dial 1 unpaired"},
		},
		{
			name: "wrong PINs, wants no key", change: func(d *fakeDevice) { d.pin, d.open = "7777", true }, unpaired: true,
			log: []string{"pair with 1234", "pair with 0000", "dial 1 unpaired", "dial 1 unpaired"},
		},
		{
			name: "knows no pairing", cfg: Config{AskPIN: typed("7777")},
			change: func(d *fakeDevice) { d.pin, d.refuses, d.open = "none", bluez.ErrAuthRejected, true }, unpaired: true,
			log: []string{"pair with 1234", "pair with 0000", "dial 1 unpaired", "dial 1 unpaired"},
		},
		{
			name: "refuses to pair, wants a key", change: func(d *fakeDevice) { d.pin, d.refuses = "none", bluez.ErrAuthRejected },
			err: bluez.ErrAuthRejected, text: "refuses to pair", final: true,
			log: []string{"pair with 1234", "pair with 0000", "dial 1 unpaired"},
		},
		{
			name: "a person knows the PIN", cfg: Config{AskPIN: typed("7777")}, change: func(d *fakeDevice) { d.pin, d.open = "7777", true },
			log: []string{"pair with 1234", "pair with 0000", "pair with 7777", "dial 1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDevice()
				tt.change(d)
				h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: []*fakeDevice{d}}
				var told []string
				tt.cfg.Report = func(s Status) { told = append(told, s.Text) }
				m, err := open(t.Context(), tt.cfg, h.host())
				if diff := cmp.Diff(append([]string{"discover hci0"}, tt.log...), h.log); diff != "" {
					t.Errorf("unexpected calls (-want +got):\n%s", diff)
				}
				if !errors.Is(err, tt.err) || err != nil && (!strings.Contains(err.Error(), tt.text) || !errors.Is(err, ErrPairing) || IsFinal(err) != tt.final) {
					t.Errorf("got %v, final %v; want %v with %q", err, IsFinal(err), tt.err, tt.text)
				}
				if err != nil {
					return
				}
				if m.Target().Unpaired != tt.unpaired || d.Paired == tt.unpaired || d.Trusted == tt.unpaired {
					t.Errorf("unpaired %v, want %v; paired %v, trusted %v", m.Target().Unpaired, tt.unpaired, d.Paired, d.Trusted)
				}
				if said := strings.Contains(strings.Join(told, "\n"), "without pairing"); said != tt.unpaired {
					t.Errorf("it is told: %v", told)
				}
				if err := m.Close(); err != nil {
					t.Error(err)
				}
				if !tt.unpaired {
					return
				}
				// It is remembered so, and not asked again.
				h.log = nil
				again, err := open(t.Context(), Config{Remembered: []Target{m.Target()}}, h.host())
				if err != nil {
					t.Fatal(err)
				}
				defer again.Close()
				if diff := cmp.Diff([]string{"dial 1 unpaired"}, h.log); diff != "" {
					t.Errorf("unexpected calls (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A meter that was used without pairing and has come to want a key is paired
// with.
func TestPairAfterAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice()
		h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: []*fakeDevice{d}}
		remembered := Target{Kind: Bluetooth, Address: testMeter, Name: d.Name, Adapter: testAdapter.Address, Unpaired: true}
		m, err := open(t.Context(), Config{Remembered: []Target{remembered}}, h.host())
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if diff := cmp.Diff([]string{"dial 1 unpaired", "remove", "discover hci0", "pair with 1234", "dial 1"}, h.log); diff != "" {
			t.Errorf("unexpected calls (-want +got):\n%s", diff)
		}
		if m.Target().Unpaired || !d.Paired || !d.Trusted {
			t.Errorf("unpaired %v, paired %v, trusted %v", m.Target().Unpaired, d.Paired, d.Trusted)
		}
	})
}

// The forerunner of a Config is that of every connect.
func TestOpenForerunner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: []*fakeDevice{paired()}}
		m, err := open(t.Context(), Config{Forerunner: rfcomm.SpawnForerunner}, h.host())
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if h.forerunners != 1 {
			t.Errorf("%d connects with a forerunner", h.forerunners)
		}
	})
}
