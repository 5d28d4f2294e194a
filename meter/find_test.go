package meter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bluez"
	"powerspy2/rfcomm"
)

func TestOpen(t *testing.T) {
	second := func() *fakeDevice {
		d := newDevice()
		d.Address, d.Name = otherMeter, "PowerSpy 9999"
		return d
	}
	with := func(d *fakeDevice, change func(*fakeDevice)) *fakeDevice { change(d); return d }
	tests := []struct {
		name string
		cfg  Config
		air  []*fakeDevice
		want Target // its address and channel
		err  error
		text string // in the error
		log  []string
		max  time.Duration
	}{
		{
			name: "never seen", air: []*fakeDevice{newDevice()},
			want: Target{Address: testMeter, Channel: 1},
			log:  []string{"discover hci0", "pair with 1234", "dial 1"},
		},
		{
			name: "other devices in range", air: []*fakeDevice{with(second(), func(d *fakeDevice) { d.Name = "Headset" }), newDevice()},
			want: Target{Address: testMeter, Channel: 1},
			log:  []string{"discover hci0", "pair with 1234", "dial 1"},
		},
		{
			name: "paired", air: []*fakeDevice{paired()},
			want: Target{Address: testMeter, Channel: 1},
			log:  []string{"dial 1"}, max: 2 * time.Second,
		},
		{
			name: "second usual PIN", air: []*fakeDevice{with(newDevice(), func(d *fakeDevice) { d.pin = "0000" })},
			want: Target{Address: testMeter, Channel: 1},
			log:  []string{"discover hci0", "pair with 1234", "pair with 0000", "dial 1"},
		},
		{
			name: "unusual PIN, nobody to ask", air: []*fakeDevice{with(newDevice(), func(d *fakeDevice) { d.pin = "7777" })},
			err: ErrPairing, text: "usual PINs 1234 and 0000",
			log: []string{"discover hci0", "pair with 1234", "pair with 0000", "dial 1 unpaired"},
		},
		{
			name: "unusual PIN, a person knows",
			cfg:  Config{AskPIN: func(context.Context, Target) (string, error) { return "7777", nil }},
			air:  []*fakeDevice{with(newDevice(), func(d *fakeDevice) { d.pin = "7777" })},
			want: Target{Address: testMeter, Channel: 1},
			log:  []string{"discover hci0", "pair with 1234", "pair with 0000", "pair with 7777", "dial 1"},
		},
		{
			name: "wrong PIN given", cfg: Config{PIN: "9999"}, air: []*fakeDevice{newDevice()},
			err: ErrPairing, text: "the PIN that was given",
			log: []string{"discover hci0", "pair with 9999", "dial 1 unpaired"},
		},
		{
			name: "meter forgot the key", air: []*fakeDevice{with(paired(), func(d *fakeDevice) { d.forgot = true })},
			want: Target{Address: testMeter, Channel: 1},
			log:  []string{"dial 1", "remove", "discover hci0", "pair with 1234", "dial 1"},
		},
		{
			name: "another channel", air: []*fakeDevice{with(paired(), func(d *fakeDevice) { d.channel = 5 })},
			want: Target{Address: testMeter, Channel: 5},
			log:  []string{"dial 1", "dial 5"},
		},
		{
			name: "remembered channel",
			cfg:  Config{Remembered: []Target{{Kind: Bluetooth, Address: testMeter, Channel: 5}}},
			air:  []*fakeDevice{with(paired(), func(d *fakeDevice) { d.channel = 5 })},
			want: Target{Address: testMeter, Channel: 5},
			log:  []string{"dial 5"},
		},
		{
			name: "absent, paired", air: []*fakeDevice{with(paired(), func(d *fakeDevice) { d.away = true })},
			err: ErrNotFound, text: "respond over Bluetooth", log: []string{"dial 1"}, max: 7 * time.Second,
		},
		{
			name: "absent, by address", cfg: Config{Target: Target{Kind: Bluetooth, Address: testMeter}},
			err: ErrNotFound, text: "respond over Bluetooth", max: 7 * time.Second,
		},
		{
			name: "by address, never seen", cfg: Config{Target: Target{Kind: Bluetooth, Address: testMeter}}, air: []*fakeDevice{newDevice()},
			want: Target{Address: testMeter, Channel: 1},
			log:  []string{"discover hci0", "pair with 1234", "dial 1"}, max: 5 * time.Second,
		},
		{
			name: "nothing in range", err: ErrNotFound, text: "none answered", log: []string{"discover hci0"}, max: 31 * time.Second,
		},
		{
			name: "two meters, nobody to ask", air: []*fakeDevice{newDevice(), second()},
			err: ErrUsage, text: otherMeter.String(), log: []string{"discover hci0"},
		},
		{
			name: "two meters, a person chooses",
			cfg: Config{Choose: func(_ context.Context, found []Target) (int, error) {
				for i, f := range found {
					if f.Address == otherMeter {
						return i, nil
					}
				}
				return 0, errors.New("the other meter was not offered")
			}},
			air:  []*fakeDevice{newDevice(), second()},
			want: Target{Address: otherMeter, Channel: 1},
			log:  []string{"discover hci0", "pair with 1234", "dial 1"},
		},
		{
			name: "two meters, one named", cfg: Config{Target: Target{Kind: Named, Name: "powerspy 99"}},
			air:  []*fakeDevice{newDevice(), second()},
			want: Target{Address: otherMeter, Channel: 1},
			log:  []string{"discover hci0", "pair with 1234", "dial 1"},
		},
		{
			name: "held by another program", air: []*fakeDevice{with(paired(), func(d *fakeDevice) { d.dialErr = rfcomm.ErrBusy })},
			err: ErrNoAnswer, text: "another program", log: []string{"dial 1"},
		},
		{
			name: "in use elsewhere", air: []*fakeDevice{with(paired(), func(d *fakeDevice) { d.dialErr = rfcomm.ErrRefused })},
			err: ErrNoAnswer, text: "somebody else", log: []string{"dial 1", "dial 1"},
		},
		{
			name: "in use by another computer", air: []*fakeDevice{with(paired(), func(d *fakeDevice) {
				d.dialErr = fmt.Errorf("%w: %w", rfcomm.ErrOccupied, rfcomm.ErrRefused)
			})},
			err: ErrNoAnswer, text: "another computer", log: []string{"dial 1"},
		},
		{
			name: "dead kernel", air: []*fakeDevice{with(paired(), func(d *fakeDevice) { d.dialErr = rfcomm.ErrKernelStuck })},
			err: ErrNotReady, text: "reboot", log: []string{"dial 1"},
		},
		{
			name: "another program pairs", air: []*fakeDevice{with(newDevice(), func(d *fakeDevice) { d.pairErr = bluez.ErrInProgress })},
			err: ErrNotReady, text: "another program", log: []string{"discover hci0"},
		},
		{
			name: "silent meter", air: []*fakeDevice{with(paired(), func(d *fakeDevice) { d.meterConfig = "mute=?" })},
			err: ErrNoAnswer, text: "silent", log: []string{"dial 1", "dial 1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: tt.air}
				start := time.Now()
				m, err := open(t.Context(), tt.cfg, h.host())
				took := time.Since(start)
				if !errors.Is(err, tt.err) {
					t.Fatalf("unexpected error: %v, want %v", err, tt.err)
				}
				if err != nil && !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error %q does not say %q", err, tt.text)
				}
				if diff := cmp.Diff(tt.log, h.log); diff != "" {
					t.Errorf("unexpected calls (-want +got):\n%s", diff)
				}
				if tt.max > 0 && took > tt.max {
					t.Errorf("took %v, want at most %v", took, tt.max)
				}
				if err != nil {
					return
				}
				got := m.Target()
				if got.Kind != Bluetooth || got.Address != tt.want.Address || got.Channel != tt.want.Channel || got.Adapter != testAdapter.Address || got.Name == "" {
					t.Errorf("unexpected target %+v", got)
				}
				if d := h.find("", got.Address); !d.Paired || !d.Trusted {
					t.Errorf("paired %v, trusted %v", d.Paired, d.Trusted)
				}
				if err := m.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
		})
	}
}

// An adapter that was asked for and is not there is told with those that are.
func TestOpenOtherAdapter(t *testing.T) {
	h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}}
	_, err := open(t.Context(), Config{Adapter: "hci7"}, h.host())
	if !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), "no adapter hci7; it has hci0") {
		t.Errorf("got %v", err)
	}
}
