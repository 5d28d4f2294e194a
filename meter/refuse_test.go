package meter

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bluez"
	"powerspy2/rfcomm"
)

// TestRefuse: each step is decided from facts.
func TestRefuse(t *testing.T) {
	dead := errors.New("silent")
	other := &fakeDevice{Device: bluez.Device{Adapter: "hci0", Address: otherMeter, Connected: true}, known: true}
	tests := []struct {
		name   string
		rec    Recovery
		change func(*fakeHost)
		reason error
		none   bool // there is no link
		want   []Step
	}{
		{name: "silent", reason: dead, want: []Step{Drain, Reconnect, Relink, ResetAdapter, RestartService}},
		{name: "no link", reason: dead, none: true, want: []Step{Reconnect, Relink, ResetAdapter, RestartService}},
		{
			name: "no radio link", reason: dead, none: true,
			change: func(h *fakeHost) { h.air[0].Connected = false },
			want:   []Step{Reconnect, ResetAdapter, RestartService},
		},
		{
			name: "out of reach", rec: Recovery{PowerCycle: func(context.Context) error { return nil }}, reason: rfcomm.ErrAbsent, none: true,
			change: func(h *fakeHost) { h.air[0].Connected = false },
			want:   []Step{Reconnect, PowerCycle},
		},
		{
			name: "another device is connected", reason: dead, change: func(h *fakeHost) { h.air = append(h.air, other) },
			want: []Step{Drain, Reconnect, Relink},
		},
		{
			name: "another device is connected, allowed", rec: Recovery{AllowAdapterReset: true}, reason: dead,
			change: func(h *fakeHost) { h.air = append(h.air, other) },
			want:   []Step{Drain, Reconnect, Relink, ResetAdapter, RestartService},
		},
		{
			name: "adapter off", reason: rfcomm.ErrAdapterDown, none: true,
			change: func(h *fakeHost) { h.adapters[0].Powered, h.air[0].Connected = false, false },
			want:   []Step{Reconnect},
		},
		{
			name: "adapter off, allowed", rec: Recovery{AllowAdapterReset: true}, reason: rfcomm.ErrAdapterDown, none: true,
			change: func(h *fakeHost) { h.adapters[0].Powered, h.air[0].Connected = false, false },
			want:   []Step{Reconnect, ResetAdapter},
		},
		{
			name: "no adapter", reason: rfcomm.ErrAdapterDown, none: true,
			change: func(h *fakeHost) { h.adapters = nil },
			want:   []Step{Reconnect},
		},
		{
			name: "no service", reason: dead,
			change: func(h *fakeHost) { h.noBus = bluez.ErrNoDaemon },
			want:   []Step{Drain, Reconnect, RestartService},
		},
		{name: "key refused", reason: rfcomm.ErrKeyRefused, none: true, want: []Step{Reconnect, Rebond, ResetAdapter, RestartService}},
		{name: "used by another computer", reason: rfcomm.ErrOccupied, none: true, want: []Step{Reconnect}},
		{
			name: "power cycle", rec: Recovery{PowerCycle: func(context.Context) error { return nil }}, reason: dead,
			want: []Step{Drain, Reconnect, Relink, ResetAdapter, RestartService, PowerCycle},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := paired()
			d.Connected = true
			h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: []*fakeDevice{d}}
			if tt.change != nil {
				tt.change(h)
			}
			r := newRecoverer(&route{host: h.host(), finding: finding{target: Target{Kind: Bluetooth, Address: testMeter, Adapter: testAdapter.Address}}}, StreamConfig{}, tt.rec)
			if err := r.began(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !tt.none {
				r.m = &Meter{}
			}
			var got []Step
			for s := firstStep; s <= lastStep; s++ {
				if r.refuse(t.Context(), s, tt.reason) == "" {
					got = append(got, s)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("unexpected steps (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("not by Bluetooth", func(t *testing.T) {
		r := newRecoverer(&route{finding: finding{target: Target{Kind: Serial, Path: "/dev/ttyUSB0"}}}, StreamConfig{}, Recovery{})
		r.m = &Meter{}
		var got []Step
		for s := firstStep; s <= lastStep; s++ {
			if r.refuse(t.Context(), s, dead) == "" {
				got = append(got, s)
			}
		}
		if diff := cmp.Diff([]Step{Drain, Reconnect}, got); diff != "" {
			t.Errorf("unexpected steps (-want +got):\n%s", diff)
		}
	})
}
