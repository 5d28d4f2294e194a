package meter

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bdaddr"
	"powerspy2/bluez"
	"powerspy2/rfcomm"
)

var secondAdapter = bluez.Adapter{ID: "hci1", Address: bdaddr.Address{0, 0x1A, 0x7D, 0xDA, 0x71, 0x14}, Powered: true}

// onSecond is the same meter in range of the second adapter.
func onSecond(d *fakeDevice) *fakeDevice {
	c := *d
	c.Adapter = "hci1"
	return &c
}

// With two adapters all that are on are searched, a meter that both hear is one,
// and the adapter is used that the meter is remembered by or answers.
func TestOpenTwoAdapters(t *testing.T) {
	away := func(d *fakeDevice) *fakeDevice { d.away = true; return d }
	with := func(d *fakeDevice, rssi int16) *fakeDevice { d.RSSI = rssi; return d }
	off := testAdapter
	off.Powered = false
	remembered := func(a bluez.Adapter) []Target {
		return []Target{{Kind: Bluetooth, Address: testMeter, Name: "PowerSpy 4567", Adapter: a.Address}}
	}
	both := []bluez.Adapter{testAdapter, secondAdapter}
	tests := []struct {
		name     string
		cfg      Config
		adapters []bluez.Adapter
		air      []*fakeDevice
		want     string // the adapter
		err      error
		log      []string // discoveries in either order
		told     string
		max      time.Duration
	}{
		{
			name: "in reach of the second only", adapters: both,
			air:  []*fakeDevice{away(newDevice()), onSecond(newDevice())},
			want: "hci1", log: []string{"discover hci0", "discover hci1", "pair with 1234", "dial 1"}, told: "through hci1",
		},
		{
			name: "the second hears it better", adapters: both,
			air:  []*fakeDevice{with(newDevice(), -80), with(onSecond(newDevice()), -40)},
			want: "hci1", log: []string{"discover hci0", "discover hci1", "pair with 1234", "dial 1"},
		},
		{
			name: "paired on both", adapters: both, air: []*fakeDevice{paired(), onSecond(paired())},
			want: "hci0", log: []string{"dial 1"}, told: "through hci0", max: 2 * time.Second,
		},
		{
			name: "paired on both, remembered by the second", adapters: both, cfg: Config{Remembered: remembered(secondAdapter)},
			air:  []*fakeDevice{paired(), onSecond(paired())},
			want: "hci1", log: []string{"dial 1"}, max: 2 * time.Second,
		},
		{
			name: "paired on both, answers the second", adapters: both, cfg: Config{Remembered: remembered(testAdapter)},
			air:  []*fakeDevice{away(paired()), onSecond(paired())},
			want: "hci1", log: []string{"dial 1"}, max: 8 * time.Second,
		},
		{
			name: "paired on the first, has moved to the second", adapters: both,
			air:  []*fakeDevice{away(paired()), onSecond(newDevice())},
			want: "hci1", log: []string{"discover hci1", "pair with 1234", "dial 1"}, max: 12 * time.Second,
		},
		{
			name: "by address, in reach of the second", adapters: both, cfg: Config{Target: Target{Kind: Bluetooth, Address: testMeter}},
			air:  []*fakeDevice{away(newDevice()), onSecond(newDevice())},
			want: "hci1", log: []string{"discover hci1", "pair with 1234", "dial 1"}, max: 12 * time.Second,
		},
		{
			name: "remembered by an adapter that is off", adapters: []bluez.Adapter{off, secondAdapter}, cfg: Config{Remembered: remembered(testAdapter)},
			air:  []*fakeDevice{paired(), onSecond(paired())},
			want: "hci1", log: []string{"dial 1"},
		},
		{
			name: "one asked for", adapters: both, cfg: Config{Adapter: "hci0"},
			air:  []*fakeDevice{paired(), onSecond(paired())},
			want: "hci0", log: []string{"dial 1"},
		},
		{
			name: "the one asked for does not reach it", adapters: both, cfg: Config{Adapter: "hci0"},
			air: []*fakeDevice{away(paired()), onSecond(paired())},
			err: rfcomm.ErrAbsent, log: []string{"dial 1"},
		},
		{
			name: "out of reach of both", adapters: both, air: []*fakeDevice{away(paired()), away(onSecond(paired()))},
			err: ErrNotFound, max: 12 * time.Second,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeHost{t: t, adapters: tt.adapters, air: tt.air}
				var told []string
				tt.cfg.Report = func(s Status) { told = append(told, s.Text) }
				start := time.Now()
				m, err := open(t.Context(), tt.cfg, h.host())
				if took := time.Since(start); tt.max > 0 && took > tt.max {
					t.Errorf("took %v, want at most %v", took, tt.max)
				}
				if len(h.log) > 1 && h.log[0] == "discover hci1" && h.log[1] == "discover hci0" {
					h.log[0], h.log[1] = h.log[1], h.log[0]
				}
				if diff := cmp.Diff(tt.log, h.log); diff != "" {
					t.Errorf("unexpected calls (-want +got):\n%s", diff)
				}
				if !errors.Is(err, tt.err) {
					t.Fatalf("got %v, want %v", err, tt.err)
				}
				if err != nil {
					return
				}
				defer m.Close()
				if got := h.id(m.Target().Adapter); got != tt.want {
					t.Errorf("used %s, want %s", got, tt.want)
				}
				if all := strings.Join(told, "\n"); !strings.Contains(all, tt.told) {
					t.Errorf("told of\n%s\nwithout %q", all, tt.told)
				}
				if d := h.find(tt.want, testMeter); !d.Paired || !d.Trusted {
					t.Errorf("paired %v, trusted %v", d.Paired, d.Trusted)
				}
			})
		})
	}
}

// One adapter that is unplugged leaves the search to the other.
func TestDiscoverLosesAdapter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := onSecond(newDevice())
		h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter, secondAdapter}, air: []*fakeDevice{d}, gone: "hci0"}
		m, err := open(t.Context(), Config{}, h.host())
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if got := h.id(m.Target().Adapter); got != "hci1" {
			t.Errorf("used %s", got)
		}
	})
}

// A scan reports a device once, whoever hears it, and by which adapters.
func TestScanTwoAdapters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := paired(), onSecond(newDevice())
		first.away = true
		second.RSSI = -50
		h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter, secondAdapter}, air: []*fakeDevice{first, second}}
		ctx, cancel := contextFor(t, 15*time.Second)
		defer cancel()
		var got []Candidate
		if err := scan(ctx, Config{}, func(c Candidate) { got = append(got, c) }, h.host()); err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			t.Fatal("found nothing")
		}
		last := got[len(got)-1]
		want := Candidate{
			Target: Target{Kind: Bluetooth, Address: testMeter, Name: "PowerSpy 4567", Adapter: testAdapter.Address},
			RSSI:   -50, InRange: true, Paired: true, Trusted: true, PowerSpy: true, Via: "hci0, hci1",
		}
		if last != want {
			t.Errorf("got %+v, want %+v", last, want)
		}
		for i, c := range got {
			if i > 0 && sameButSignal(got[i-1], c) {
				t.Errorf("told twice of %+v", c)
			}
		}
	})
}
