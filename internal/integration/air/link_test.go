package air

import (
	"encoding/hex"
	"testing"
	"time"
)

const (
	connecting    = "04 0f 04 00 01 0504"
	disconnecting = "04 0f 04 00 01 0604"
)

// connectFailed is a Connection Complete event with a reason.
func connectFailed(reason string) string { return "04 03 0b" + reason + "0000" + wireMeter + "01 00" }

func TestPageTimeout(t *testing.T) {
	bubble(t, DeviceConfig{}, func(t *testing.T, h *host, d *Device) {
		d.SetAway(true)
		h.send(createConnection)
		h.in(5120*time.Millisecond, func() { h.want(connecting, connectFailed("04")) })

		h.send("01 180c 02 0010") // Write Page Timeout: 4096 slots
		h.want("04 0e 04 01 180c 00")
		h.send(createConnection)
		h.in(2560*time.Millisecond, func() { h.want(connecting, connectFailed("04")) })

		t.Log("another address, where nobody is")
		h.send("01 0504 0d 010203040506 18cc 01 00 0000 01")
		h.in(2560*time.Millisecond, func() { h.want(connecting, "04 03 0b 04 0000 010203040506 01 00") })

		t.Log("back while it is paged")
		h.send(createConnection)
		h.want(connecting)
		time.Sleep(time.Second)
		d.SetAway(false)
		h.want("04 03 0b 00 0100" + wireMeter + "01 00")
	})
}

func TestCreateConnection(t *testing.T) {
	bubble(t, DeviceConfig{}, func(t *testing.T, h *host, d *Device) {
		t.Log("busy")
		d.SetBusy(true)
		h.send(createConnection)
		h.want(connecting, connectFailed("0d"))
		d.SetBusy(false)

		t.Log("cancelled")
		d.SetAway(true)
		h.send(createConnection)
		h.send(createConnection)
		h.send("01 0804 06" + wireMeter)
		h.want(connecting, "04 0f 04 0b 01 0504", "04 0e 0a 01 0804 00"+wireMeter, connectFailed("02"))
		d.SetAway(false)

		t.Log("mute: nothing follows until it is cancelled")
		d.SetMute(true)
		h.send(createConnection)
		h.want(connecting)
		time.Sleep(time.Hour / 2)
		h.quiet()
		h.send("01 0804 06" + wireMeter)
		h.want("04 0e 0a 01 0804 00"+wireMeter, connectFailed("02"))
		d.SetMute(false)

		t.Log("one link only")
		h.connect()
		h.send(createConnection)
		h.want("04 0f 04 0b 01 0504")
		h.send("01 0804 06" + wireMeter)
		h.want("04 0e 0a 01 0804 0b" + wireMeter)

		t.Log("ended by the host")
		h.send("01 0604 03 0100 13")
		h.want(disconnecting, "04 05 04 00 0100 16")
		h.connect()
		if h.handle != 2 {
			t.Errorf("handle %d of the next link, want 2", h.handle)
		}
	})
}

func TestCall(t *testing.T) {
	bubble(t, DeviceConfig{}, func(t *testing.T, h *host, d *Device) {
		if d.Call() {
			t.Error("called a host that does not listen")
		}
		h.send("01 1a0c 01 02") // page scan
		h.want("04 0e 04 01 1a0c 00")

		request := "04 04 0a" + wireMeter + "001f00 01"
		if !d.Call() || d.Call() {
			t.Error("Call: want true, then false")
		}
		h.want(request)
		h.in(connectionAcceptTime, func() { h.want(connectFailed("10")) })

		d.Call()
		h.want(request)
		h.send("01 0a04 07" + wireMeter + "0f")
		h.want("04 0f 04 00 01 0a04", connectFailed("0f"))

		d.Call()
		h.want(request)
		h.send("01 0904 07" + wireMeter + "00")
		h.want("04 0f 04 00 01 0904", "04 12 08 00"+wireMeter+"00", "04 03 0b 00 0100"+wireMeter+"01 00")
		if d.Call() {
			t.Error("called over a link")
		}
	})
}

func TestLinkCommands(t *testing.T) {
	bubble(t, DeviceConfig{}, func(t *testing.T, h *host, _ *Device) {
		h.connect()
		for _, tt := range []struct {
			name, send string
			want       []string
		}{
			{"features", "01 1b04 02 0100", []string{"04 0f 04 00 01 1b04", "04 0b 0b 00 0100 ffff8ffe9bf90080"}},
			{"extended features 1", "01 1c04 03 0100 01", []string{"04 0f 04 00 01 1c04", "04 23 0d 00 0100 01 00 0000000000000000"}},
			{"extended features 0", "01 1c04 03 0100 00", []string{"04 0f 04 00 01 1c04", "04 23 0d 00 0100 00 00 ffff8ffe9bf90080"}},
			{"version", "01 1d04 02 0100", []string{"04 0f 04 00 01 1d04", "04 0c 08 00 0100 03 0a00 370c"}},
			{"clock offset", "01 1f04 02 0100", []string{"04 0f 04 00 01 1f04", "04 1c 05 00 0100 3412"}},
			{"packet types", "01 0f04 04 0100 18cc", []string{"04 0f 04 00 01 0f04", "04 1d 05 00 0100 18cc"}},
			{"sniff", "01 0308 0a 0100 2003 9001 0400 0100", []string{"04 0f 04 00 01 0308", "04 14 06 00 0100 02 2003"}},
			{"exit sniff", "01 0408 02 0100", []string{"04 0f 04 00 01 0408", "04 14 06 00 0100 00 0000"}},
			{"role", "01 0908 02 0100", []string{"04 0e 07 01 0908 00 0100 00"}},
			{"switch role", "01 0b08 07" + wireMeter + "01", []string{"04 0f 04 00 01 0b08", "04 12 08 00" + wireMeter + "01"}},
			{"role after it", "01 0908 02 0100", []string{"04 0e 07 01 0908 00 0100 01"}},
			{"write policy", "01 0d08 04 0100 0500", []string{"04 0e 06 01 0d08 00 0100"}},
			{"read policy", "01 0c08 02 0100", []string{"04 0e 08 01 0c08 00 0100 0500"}},
			{"supervision", "01 360c 02 0100", []string{"04 0e 08 01 360c 00 0100 007d"}},
			{"key size", "01 0814 02 0100", []string{"04 0e 07 01 0814 00 0100 10"}},
			{"flush", "01 080c 02 0100", []string{"04 0e 06 01 080c 00 0100", "04 11 02 0100"}},
			{"features of no link", "01 1b04 02 0900", []string{"04 0f 04 02 01 1b04"}},
		} {
			t.Log(tt.name)
			h.send(tt.send)
			h.want(tt.want...)
		}
		h.quiet()
	})
}

func TestCompletedPackets(t *testing.T) {
	bubble(t, DeviceConfig{}, func(t *testing.T, h *host, d *Device) {
		h.connect()
		raw := func(want string) {
			t.Helper()
			h.expect(want, <-h.packets)
		}
		t.Log("an echo request in two fragments")
		h.send("02 0100 0500 0600 0100 08")
		raw("04 13 05 01 0100 0100")
		h.send("02 0110 0500 09 0200 6869")
		raw("04 13 05 01 0100 0100")
		raw("02 0120 0a00 0600 0100 09 09 0200 6869")

		t.Log("a fragment too many, one of nothing, and data for no link")
		h.send("02 0110 0100 ff 02 0120 0000 02 0900 0100 00")
		raw("04 13 05 01 0100 0100")
		raw("04 13 05 01 0100 0100")
		h.quiet()
	})
}

func TestDropLink(t *testing.T) {
	for _, r := range []Reason{ConnectionTimeout, RemoteUserEnded, RemotePowerOff} {
		t.Run(r.String(), func(t *testing.T) {
			bubble(t, DeviceConfig{SecurityMode: 1}, func(t *testing.T, h *host, d *Device) {
				if d.DropLink(r) {
					t.Error("dropped a link before there was one")
				}
				h.openPort()
				if !d.DropLink(r) {
					t.Error("no link to drop")
				}
				h.expect("04 05 04 00 0100"+hex.EncodeToString([]byte{byte(r)}), h.next())
				if s := d.Status(); s.Linked || s.Open || s.LastReason != r {
					t.Errorf("status %+v", s)
				}
				h.send("01 0604 03 0100 13") // too late
				h.want("04 0f 04 02 01 0604")
			})
		})
	}
}

// TestDeadAir takes the device out of reach of a link.
func TestDeadAir(t *testing.T) {
	bubble(t, DeviceConfig{SecurityMode: 1}, func(t *testing.T, h *host, d *Device) {
		h.openPort()
		d.SetAway(true)
		h.rfcomm("0b ef 0b 68656c6c6f")
		time.Sleep(19 * time.Second)
		h.quiet()
		d.SetAway(false)
		if got := h.data(5); got != "hello" {
			t.Errorf("after 19 s out of reach: %q", got)
		}

		t.Log("longer than the supervision time")
		h.quiet()
		d.SetAway(true)
		h.in(20*time.Second, func() { h.want("04 05 04 00 0100 08") })
		d.SetAway(false)

		t.Log("as the host has set it")
		h.connect()
		h.send("01 370c 04 0200 401f") // Write Link Supervision Timeout: 8000 slots
		h.want("04 0e 06 01 370c 00 0200")
		d.SetAway(true)
		h.in(5*time.Second, func() { h.want("04 05 04 00 0200 08") })
		d.SetAway(false)

		t.Log("ended by the host meanwhile")
		h.connect()
		d.SetAway(true)
		h.send("01 0604 03 0300 13")
		h.in(detachTime, func() { h.want(disconnecting, "04 05 04 00 0300 16") })
	})
}

// TestLatency delays what the device sends, in order.
func TestLatency(t *testing.T) {
	bubble(t, DeviceConfig{SecurityMode: 1}, func(t *testing.T, h *host, d *Device) {
		const latency = 30 * time.Millisecond
		d.SetLatency(latency)
		// The page and its result, which is an answer too.
		h.in(2*latency, h.connect)
		h.in(latency, func() {
			h.signal("08 01 0100 61 08 02 0100 62", "09 01 0100 61", "09 02 0100 62")
		})
		h.sendL2CAP(signallingID, unhex(t, "08 03 0000"))
		d.SetLatency(0)
		h.in(latency, func() { h.signal("08 04 0000", "09 03 0000", "09 04 0000") })
		h.in(0, func() { h.signal("08 05 0000", "09 05 0000") })
	})
}
