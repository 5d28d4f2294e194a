package air

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"powerspy2/bdaddr"
)

func TestExec(t *testing.T) {
	c := New(Config{Dial: func(ctx context.Context, _ bdaddr.Address) (io.ReadWriteCloser, error) { return dialEcho(ctx) }})
	if _, err := c.Exec("away on"); err == nil {
		t.Error("a command for a device was taken with nothing in range")
	}
	for _, line := range []string{"add 00:0b:ce:07:1d:32 PowerSpy 4567", "add 00-0B-CE-00-00-02 Other"} {
		if out, err := c.Exec(line); out != "" || err != nil {
			t.Fatalf("%s: %q, %v", line, out, err)
		}
	}
	d, other := c.Devices()[0], c.Devices()[1]
	for _, tt := range []struct {
		line string
		ok   func() bool
	}{
		{"away on", func() bool { return d.away && !other.away }},
		{"away 00:0B:CE:00:00:02 on", func() bool { return other.away }},
		{"away off", func() bool { return !d.away }},
		{"hidden on", func() bool { return d.hidden }},
		{"busy on", func() bool { return d.busy }},
		{"mute on", func() bool { return d.mute }},
		{"refuse on", func() bool { return d.refuse }},
		{"silent on", func() bool { return d.silent }},
		{"latency 30ms", func() bool { return d.latency == 30*time.Millisecond }},
		{"slow-name 2s", func() bool { return d.nameDelay == 2*time.Second }},
		{"no-name on", func() bool { return d.nameFault == LMPResponseTimeout }},
		{"no-name off", func() bool { return d.nameFault == Success }},
		{"name Another  name", func() bool { return d.cfg.Name == "Another name" }},
		{"pin 0000", func() bool { return d.cfg.PIN == "0000" }},
		{"rssi -77", func() bool { return d.cfg.RSSI == -77 }},
		{"channel 3", func() bool { return d.cfg.Channel == 3 }},
		{"mode 3", func() bool { return d.cfg.SecurityMode == 3 }},
		{"corrupt-key", func() bool { return d.key != nil }},
		{"forget-key", func() bool { return d.key == nil }},
		{"hung on", func() bool { return c.hung }},
		{"hung off", func() bool { return !c.hung }},
		{"unplug", func() bool { return !isClosed(c.plugged) }},
		{"unplug", func() bool { return !isClosed(c.plugged) }},
		{"plug", func() bool { return isClosed(c.plugged) }},
		{"plug", func() bool { return isClosed(c.plugged) }},
		{"", func() bool { return true }},
		{"remove 00:0b:ce:00:00:02", func() bool { return len(c.devices) == 1 }},
	} {
		if out, err := c.Exec(tt.line); out != "" || err != nil {
			t.Errorf("%s: %q, %v", tt.line, out, err)
		}
		if !tt.ok() {
			t.Errorf("%s: no effect", tt.line)
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestExecErrors(t *testing.T) {
	c := New(Config{})
	if _, err := c.Add(DeviceConfig{Address: meterAddress, Dial: dialEcho}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ line, want string }{
		{"fly", `"fly" is not known: try help`},
		{"away", "usage: away [ADDRESS] on|off"},
		{"away maybe", "usage: away [ADDRESS] on|off"},
		{"away 00:00:00:00:00:01 on", "no device 00:00:00:00:00:01"},
		{"hung", "usage: hung on|off"},
		{"latency", "usage: latency"},
		{"latency -1s", "usage: latency"},
		{"latency 5", "usage: latency"},
		{"channel 31", "usage: channel [ADDRESS] 1-30"},
		{"channel x", "usage: channel"},
		{"mode 0", "usage: mode"},
		{"rssi 128", "usage: rssi"},
		{"rssi", "usage: rssi"},
		{"name", "usage: name"},
		{"pin 12345678901234567", "usage: pin"},
		{"drop-link 0", "usage: drop-link"},
		{"drop-link 0x100", "usage: drop-link"},
		{"drop-link", "no link is up"},
		{"drop-channel", "no channel is open"},
		{"drop-l2cap", "no channel is open"},
		{"call", "cannot be called"},
		{"add 00:0b:ce:00:00:02", "usage: add ADDRESS NAME..."},
		{"add 12 name", `"12"`},
		{"add 00:0b:ce:00:00:02 name", "nothing to join"},
	} {
		if out, err := c.Exec(tt.line); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q, %v, want an error that says %q", tt.line, out, err, tt.want)
		}
	}
}

func TestExecHelp(t *testing.T) {
	out, err := New(Config{}).Exec("help")
	if err != nil {
		t.Fatal(err)
	}
	for name := range verbs {
		if !strings.Contains("\n"+out, "\n"+name+" ") {
			t.Errorf("help does not name %s", name)
		}
	}
}

func TestExecOnLink(t *testing.T) {
	bubble(t, DeviceConfig{SecurityMode: 1}, func(t *testing.T, h *host, d *Device) {
		h.openPort()
		if out, err := h.c.Exec("list"); err != nil || out != "00:0B:CE:07:1D:32 \"PowerSpy 4567\" linked open\n" {
			t.Errorf("list: %q, %v", out, err)
		}
		for _, tt := range []struct{ line, want string }{
			{"drop-channel", "02 0120 0800 0400 4000 09 53 01 d9"},
			{"drop-l2cap", "02 0120 0c00 0800 0100 06 02 0400 4000 4000"},
			{"drop-link 0x15", "04 05 04 00 0100 15"},
		} {
			if out, err := h.c.Exec(tt.line); out != "" || err != nil {
				t.Errorf("%s: %q, %v", tt.line, out, err)
			}
			h.want(tt.want)
		}
	})
}
