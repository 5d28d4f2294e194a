package meter

import (
	"errors"
	"strings"
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
		{"unix:/run/a.sock", Target{Kind: Served, Server: Server{Socket: "/run/a.sock"}}, true},
		{"unix:/run/a.sock:PowerSpy 1:2%3A", Target{Kind: Served, Server: Server{Socket: "/run/a.sock", Meter: "PowerSpy 1:2%3A"}}, true},
		{"unix:/a%3Ab%25:m", Target{Kind: Served, Server: Server{Socket: "/a:b%", Meter: "m"}}, true},
		{"http://localhost:9000", Target{Kind: Served, Server: Server{URL: "http://localhost:9000"}}, true},
		{"https://ann@[::1]:9000/rack%2F1 a", Target{Kind: Served, Server: Server{URL: "https://[::1]:9000", User: "ann", Meter: "rack/1 a"}}, true},
		{"https://lab.example/", Target{Kind: Served, Server: Server{URL: "https://lab.example"}}, true},

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
		{"unix:", Target{}, false},
		{"unix:run/a.sock", Target{}, false},
		{"http://", Target{}, false},
		{"http://:9000", Target{}, false},
		{"http://a:99999", Target{}, false},
		{"http://a:9000/b/c", Target{}, false},
		{"http://a:9000/b?c", Target{}, false},
		{"http://a:9000/b#c", Target{}, false},
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

// TestPasswordInURL: it is refused, and not told to the next one who looks.
func TestPasswordInURL(t *testing.T) {
	for device, want := range map[string]error{
		"https://ann:s3cret@lab:9000": ErrPasswordInURL,
		"https://ann:s3c@ret@lab:9x":  nil,
		"http://ann:s3cret@lab:%zz":   nil,
	} {
		_, err := ParseTarget(device)
		if err == nil || want != nil && !errors.Is(err, want) || strings.Contains(err.Error(), "s3c") {
			t.Errorf("%s: %v", device, err)
		}
	}
}

// TestServedIsNotOpened: what needs the meter itself says so.
func TestServedIsNotOpened(t *testing.T) {
	target, err := ParseTarget("unix:/run/a.sock:bench")
	if err != nil {
		t.Fatal(err)
	}
	target.Alias = "lab"
	for _, cfg := range []Config{{Target: target}, {Remembered: []Target{target}}, {Target: Target{Kind: Named, Name: "lab"}, Remembered: []Target{target}}} {
		if got := cfg.Meant(); got != target {
			t.Errorf("%v is meant", got)
		}
		_, err := Open(t.Context(), cfg)
		if !errors.Is(err, ErrServed) || !errors.Is(err, ErrUsage) {
			t.Errorf("open: %v", err)
		}
		if _, err := Supervise(t.Context(), cfg, StreamConfig{}, Recovery{}); !errors.Is(err, ErrServed) {
			t.Errorf("supervise: %v", err)
		}
		if err := Recover(t.Context(), cfg, RecoverConfig{}, func(Status) {}); !errors.Is(err, ErrServed) {
			t.Errorf("recover: %v", err)
		}
	}
}
