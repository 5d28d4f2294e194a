package rfcomm

import (
	"testing"

	"powerspy2/bdaddr"
)

var (
	testAdapter = bdaddr.Address{0x00, 0x1A, 0x7D, 0xDA, 0x71, 0x11}
	testMeter   = bdaddr.Address{0x00, 0x0B, 0xCE, 0x07, 0x1D, 0x32}
)

func TestStrings(t *testing.T) {
	tests := []struct {
		name string
		got  string
		want string
	}{
		{"network", Addr{}.Network(), "rfcomm"},
		{"address and channel", Addr{Address: testMeter, Channel: 1}.String(), "00:0B:CE:07:1D:32/1"},
		{"highest channel", Addr{Address: testMeter, Channel: 30}.String(), "00:0B:CE:07:1D:32/30"},
		{"no channel", Addr{Address: testMeter}.String(), "00:0B:CE:07:1D:32"},
		{"default security", SecurityDefault.String(), "default"},
		{"high security", SecurityHigh.String(), "high"},
		{"unknown security", Security(9).String(), "Security(9)"},
		{"stuck", StateStuck.String(), "stuck"},
		{"unknown state", State(9).String(), "State(9)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}
