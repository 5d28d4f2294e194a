package meter

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bdaddr"
)

func TestParseTarget(t *testing.T) {
	address := bdaddr.Address{0x00, 0x0B, 0xCE, 0x07, 0x1D, 0x32}
	tests := []struct {
		device string
		want   Target
		ok     bool
	}{
		{"", Target{Kind: Any}, true},
		{"00:0B:CE:07:1D:32", Target{Kind: Bluetooth, Address: address}, true},
		{"00-0b-ce-07-1d-32", Target{Kind: Bluetooth, Address: address}, true},
		{"PowerSpy", Target{Kind: Named, Name: "PowerSpy"}, true},
		{"PowerSpy 4567", Target{Kind: Named, Name: "PowerSpy 4567"}, true},
		{"rack-1", Target{Kind: Named, Name: "rack-1"}, true},
		{"/dev/rfcomm0", Target{Kind: Serial, Path: "/dev/rfcomm0"}, true},
		{"./tty", Target{Kind: Serial, Path: "./tty"}, true},
		{"tcp://localhost:4000", Target{Kind: TCP, Host: "localhost:4000"}, true},
		{"tcp://[::1]:4000", Target{Kind: TCP, Host: "[::1]:4000"}, true},
		{"sim:", Target{Kind: Simulated}, true},
		{"sim", Target{Kind: Simulated}, true},
		{"sim:load=wave", Target{Kind: Simulated, Sim: "load=wave"}, true},

		{"  ", Target{}, false},
		{"00:00:00:00:00:00", Target{}, false},
		{"00:0B:CE:07:1D", Target{}, false},
		{"00:0B:CE:07:1D:3", Target{}, false},
		{"00:0B-CE:07-1D:32", Target{}, false},
		{"tcp://localhost", Target{}, false},
		{"tcp://:4000", Target{}, false},
		{"tcp://localhost:", Target{}, false},
		{"tcp://localhost:99999", Target{}, false},
		{"udp://localhost:1", Target{}, false},
		{"sim:colour=red", Target{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.device, func(t *testing.T) {
			got, err := ParseTarget(tt.device)
			if (err == nil) != tt.ok {
				t.Fatalf("unexpected error: %v", err)
			}
			if err != nil && !errors.Is(err, ErrUsage) {
				t.Errorf("%v does not match ErrUsage", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Fatalf("unexpected target (-want +got):\n%s", diff)
			}
			if err != nil {
				return
			}
			again, err := ParseTarget(got.Device())
			if err != nil || !again.Equal(got) {
				t.Errorf("Device() %q reads back as %+v, %v", got.Device(), again, err)
			}
		})
	}
}

func TestCheckAdapter(t *testing.T) {
	for adapter, ok := range map[string]bool{
		"": true, "hci0": true, "hci12": true, "00:1A:7D:DA:71:13": true,
		"hci": false, "hci-1": false, "hci01": false, "hci99999": false, "eth0": false, "0": false,
	} {
		err := (&Config{Adapter: adapter}).Validate()
		if (err == nil) != ok {
			t.Errorf("adapter %q: unexpected error: %v", adapter, err)
		}
		if err != nil && !errors.Is(err, ErrUsage) {
			t.Errorf("adapter %q: %v does not match ErrUsage", adapter, err)
		}
	}
}
