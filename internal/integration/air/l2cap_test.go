package air

import "testing"

func TestSignalling(t *testing.T) {
	bubble(t, DeviceConfig{SecurityMode: 1}, func(t *testing.T, h *host, d *Device) {
		h.connect()
		for _, tt := range []struct {
			name, send string
			want       []string
		}{
			{"echo", "08 05 0300 616263", []string{"09 05 0300 616263"}},
			{"features: not supported", "0a 06 0200 0200", []string{"0b 06 0400 0200 0100"}},
			{"fixed channels: not supported", "0a 07 0200 0300", []string{"0b 07 0400 0300 0100"}},
			{"two commands", "08 01 0000 08 02 0000", []string{"09 01 0000", "09 02 0000"}},
			{"unknown command", "20 08 0000", []string{"01 08 0200 0000"}},
			{"length beyond the packet", "08 09 0900 61", []string{"01 09 0200 0000"}},
			{"no such service", "02 0a 0400 1100 4000", []string{"03 0a 0800 0000 4000 0200 0000"}},
			{"bad source", "02 0b 0400 0100 0100", []string{"03 0b 0800 0000 0100 0600 0000"}},
			{"configure no channel", "04 0c 0400 4500 0000", []string{"01 0c 0600 0200 4500 0000"}},
			{"disconnect no channel", "06 0d 0400 4500 4000", []string{"01 0d 0600 0200 4500 4000"}},
			{"SDP", "02 0e 0400 0100 4000", []string{"03 0e 0800 4000 4000 0000 0000", "04 01 0800 4000 0000 01 02 a002"}},
			{"the same source again", "02 0f 0400 0100 4000", []string{"03 0f 0800 0000 4000 0700 0000"}},
			{"unknown option refused", "04 10 0c00 4000 0000 01 02 f503 09 02 0102", []string{"05 10 0a00 4000 0000 0300 09 02 0102"}},
			{"hint skipped, basic mode taken", "04 11 1100 4000 0000 89 02 0102 04 09 00 0000000000000000",
				[]string{"05 11 0a00 4000 0000 0000 01 02 f503"}},
			{"disconnect of another's channel", "06 12 0400 4000 4900", []string{"01 12 0600 0200 4000 4900"}},
			{"disconnect", "06 13 0400 4000 4000", []string{"07 13 0400 4000 4000"}},
			{"responses to nothing", "01 14 0200 0000 03 15 0800 4000 4000 0000 0000 09 16 0000 0b 17 0000 07 18 0400 0000 0000", nil},
			{"RFCOMM", "02 19 0400 0300 4100", []string{"03 19 0800 4100 4100 0000 0000", "04 02 0800 4100 0000 01 02 a002"}},
			{"a second RFCOMM", "02 1a 0400 0300 4200", []string{"03 1a 0800 0000 4200 0200 0000"}},
		} {
			t.Log(tt.name)
			h.signal(tt.send, tt.want...)
		}
		d.SetRefuse(true)
		h.signal("06 1b 0400 4100 4100", "07 1b 0400 4100 4100")
		h.signal("02 1c 0400 0300 4100", "03 1c 0800 0000 4100 0200 0000")
		h.quiet()
	})
}

// TestSegmentedConfiguration sends a request in two parts.
func TestSegmentedConfiguration(t *testing.T) {
	bubble(t, DeviceConfig{}, func(t *testing.T, h *host, d *Device) {
		h.connect()
		h.signal("02 01 0400 0100 4000", "03 01 0800 4000 4000 0000 0000", "04 01 0800 4000 0000 01 02 a002")
		h.signal("05 01 0600 4000 0000 0000")
		h.signal("04 02 0800 4000 0100 01 02 f503", "05 02 0a00 4000 0100 0000 01 02 f503")
		h.sendL2CAP(firstDynamicID, unhex(t, "02 0001 0008 3503191101 0001 00"))
		h.quiet() // the channel is not open yet
		h.signal("04 03 0400 4000 0000", "05 03 0a00 4000 0000 0000 01 02 f503")
		h.sendL2CAP(firstDynamicID, unhex(t, "02 0001 0008 3503191101 0001 00"))
		_, got := h.nextL2CAP()
		h.expect("03 0001 0009 0001 0001 00010001 00", got)
	})
}

func TestDropL2CAP(t *testing.T) {
	bubble(t, DeviceConfig{SecurityMode: 1}, func(t *testing.T, h *host, d *Device) {
		if d.DropL2CAP() {
			t.Error("dropped a channel before there was one")
		}
		h.openPort()
		if !d.DropL2CAP() || d.DropL2CAP() {
			t.Error("DropL2CAP: want true, then false")
		}
		h.wantSignals("06 02 0400 4000 4000")
		h.rfcomm("0b ef 03 61") // crosses with it
		h.signal("07 02 0400 4000 4000")
		h.quiet()
		if s := d.Status(); s.Open || !s.Linked {
			t.Errorf("status %+v, want linked but not open", s)
		}
		h.signal("02 05 0400 0300 4000", "03 05 0800 4100 4000 0000 0000", "04 03 0800 4000 0000 01 02 a002")
	})
}

func TestConfigurationRefused(t *testing.T) {
	bubble(t, DeviceConfig{}, func(t *testing.T, h *host, d *Device) {
		h.connect()
		h.signal("02 01 0400 0100 4000", "03 01 0800 4000 4000 0000 0000", "04 01 0800 4000 0000 01 02 a002")
		h.signal("05 01 0600 4000 0000 0200", "06 02 0400 4000 4000")
	})
}
