package air

import (
	"encoding/hex"
	"testing"
	"time"
)

// Packets of authentication, as the host sends and sees them.
const (
	authRequested = "01 1104 02 0100"
	authStarted   = "04 0f 04 00 01 1104"
	keyRequest    = "04 17 06" + wireMeter
	keyNegative   = "01 0c04 06" + wireMeter
	keyNegativeOK = "04 0e 0a 01 0c04 00" + wireMeter
	keyReplyOK    = "04 0e 0a 01 0b04 00" + wireMeter
	pinRequest    = "04 16 06" + wireMeter
	pinNegative   = "01 0e04 06" + wireMeter
	pinNegativeOK = "04 0e 0a 01 0e04 00" + wireMeter
	pinReplyOK    = "04 0e 0a 01 0d04 00" + wireMeter
)

func pinReply(pin string) string {
	padded := make([]byte, maxPIN)
	copy(padded, pin)
	return "01 0d04 17" + wireMeter + hex.EncodeToString(append([]byte{byte(len(pin))}, padded...))
}

func keyReply(key string) string { return "01 0b04 16" + wireMeter + key }

// authResult is an Authentication Complete event of the first link.
func authResult(reason string) string { return "04 06 03" + reason + "0100" }

// pair goes through pairing from the PIN request on and returns the key.
func (h *host) pair(pin string) (key string) {
	h.t.Helper()
	h.send(pinReply(pin))
	h.want(pinReplyOK)
	p := h.next()
	if len(p) != 3+6+16+1 || p[1] != evLinkKeyNotification || p[25] != keyTypeCombination {
		h.t.Fatalf("got %x, want a link key notification of a combination key", p)
	}
	return hex.EncodeToString(p[9:25])
}

// TestPairing is the host's own authentication, on an open link.
func TestPairing(t *testing.T) {
	bubble(t, DeviceConfig{PIN: "4711"}, func(t *testing.T, h *host, d *Device) {
		h.connect()

		t.Log("no encryption without a key")
		h.send("01 1304 03 0100 01")
		h.want("04 0f 04 00 01 1304", "04 08 04 06 0100 00")

		t.Log("wrong PIN, no PIN")
		h.send(authRequested)
		h.want(authStarted, keyRequest)
		h.send(keyNegative)
		h.want(keyNegativeOK, pinRequest)
		h.send(pinReply("1234"))
		h.want(pinReplyOK, authResult("05"))
		h.send(authRequested)
		h.want(authStarted, keyRequest)
		h.send(keyNegative)
		h.want(keyNegativeOK, pinRequest)
		h.send(pinNegative)
		h.want(pinNegativeOK, authResult("06"))
		if d.Status().Paired {
			t.Error("paired without the PIN")
		}

		t.Log("right PIN; encryption")
		h.send(authRequested)
		h.want(authStarted, keyRequest)
		h.send(keyNegative)
		h.want(keyNegativeOK, pinRequest)
		key := h.pair("4711")
		h.want(authResult("00"))
		h.send("01 1304 03 0100 01")
		h.want("04 0f 04 00 01 1304", "04 08 04 00 0100 01")
		if s := d.Status(); !s.Paired || !s.Authenticated || !s.Encrypted {
			t.Errorf("status after pairing: %+v", s)
		}

		t.Log("the key is remembered")
		h.send(authRequested)
		h.want(authStarted, keyRequest)
		h.send(keyReply(key))
		h.want(keyReplyOK, authResult("00"))

		t.Log("an answer nobody waits for")
		h.send(keyReply(key))
		h.want("04 0e 0a 01 0b04 02" + wireMeter)

		t.Log("another key, then none")
		d.CorruptKey()
		h.send(authRequested)
		h.want(authStarted, keyRequest)
		h.send(keyReply(key))
		h.want(keyReplyOK, authResult("05"))
		d.ForgetKey()
		h.send(authRequested)
		h.want(authStarted, keyRequest)
		h.send(keyReply(key))
		h.want(keyReplyOK, authResult("06"))

		t.Log("the user does not answer")
		h.send(authRequested)
		h.want(authStarted, keyRequest)
		h.send(keyNegative)
		h.want(keyNegativeOK, pinRequest)
		h.in(30*time.Second, func() { h.want(authResult("22")) })
		h.send(pinReply("4711"))
		h.want("04 0e 0a 01 0d04 02" + wireMeter)
	})
}

// TestSimplePairing pairs without a PIN with a host that can, and with one with a
// host that cannot.
func TestSimplePairing(t *testing.T) {
	const (
		capabilityRequest  = "04 31 06" + wireMeter
		capabilityReply    = "01 2b04 09" + wireMeter + "03 00 02"
		capabilityReplyOK  = "04 0e 0a 01 2b04 00" + wireMeter
		capabilityNegative = "01 3404 07" + wireMeter + "18"
		capabilityResponse = "04 32 09" + wireMeter + "03 00 02"
		confirmRequest     = "04 33 0a" + wireMeter + "40e20100"
		confirmReply       = "01 2c04 06" + wireMeter
		confirmReplyOK     = "04 0e 0a 01 2c04 00" + wireMeter
		confirmNegative    = "01 2d04 06" + wireMeter
	)
	// complete is a Simple Pairing Complete event.
	complete := func(reason string) string { return "04 36 07" + reason + wireMeter }
	begin := func(h *host) {
		h.send(authRequested)
		h.want(authStarted, keyRequest)
		h.send(keyNegative)
	}
	bubble(t, DeviceConfig{SimplePairing: true}, func(t *testing.T, h *host, d *Device) {
		h.connect()
		h.send("01 1b04 02 0100")
		h.want("04 0f 04 00 01 1b04", "04 0b 0b 00 0100 ffff8ffe9bf90880")
		h.send("01 1c04 03 0100 01")
		h.want("04 0f 04 00 01 1c04", "04 23 0d 00 0100 01 01 0100000000000000")

		t.Log("a host that does not do simple pairing")
		begin(h)
		h.want(keyNegativeOK, pinRequest)
		h.send(pinNegative)
		h.want(pinNegativeOK, authResult("06"))

		h.send("01 560c 01 01")
		h.want("04 0e 04 01 560c 00")
		t.Log("the host refuses, at once and after the number")
		begin(h)
		h.want(keyNegativeOK, capabilityRequest)
		h.send(capabilityNegative)
		h.want("04 0e 0a 01 3404 00"+wireMeter, complete("05"), authResult("05"))
		begin(h)
		h.want(keyNegativeOK, capabilityRequest)
		h.send(capabilityReply)
		h.want(capabilityReplyOK, capabilityResponse, confirmRequest)
		h.send(confirmNegative)
		h.want("04 0e 0a 01 2d04 00"+wireMeter, complete("05"), authResult("05"))
		if d.Status().Paired {
			t.Error("paired without the host's word")
		}

		t.Log("the host confirms, and uses the key")
		begin(h)
		h.want(keyNegativeOK, capabilityRequest)
		h.send(capabilityReply)
		h.want(capabilityReplyOK, capabilityResponse, confirmRequest)
		h.send(confirmReply)
		h.want(confirmReplyOK, complete("00"))
		p := h.next()
		if len(p) != 3+6+16+1 || p[1] != evLinkKeyNotification || p[25] != keyTypeSimple {
			t.Fatalf("got %x, want a link key notification of simple pairing", p)
		}
		h.want(authResult("00"))
		h.send(authRequested)
		h.want(authStarted, keyRequest)
		h.send(keyReply(hex.EncodeToString(p[9:25])))
		h.want(keyReplyOK, authResult("00"))
	})
	t.Run("no pairing", func(t *testing.T) {
		bubble(t, DeviceConfig{SimplePairing: true, NoPairing: true}, func(t *testing.T, h *host, d *Device) {
			h.connect()
			begin(h)
			h.want(keyNegativeOK, pinRequest)
			h.send(pinReply("1234"))
			h.want(pinReplyOK, authResult("18"))
			h.send("01 560c 01 01")
			h.want("04 0e 04 01 560c 00")
			begin(h)
			h.want(keyNegativeOK, capabilityRequest)
			h.send(capabilityReply)
			h.want(capabilityReplyOK, complete("18"), authResult("18"))
			if d.Status().Paired {
				t.Error("paired all the same")
			}
		})
	})
}

// TestMode2 has the device ask for authentication when RFCOMM is opened.
func TestMode2(t *testing.T) {
	const (
		connectRFCOMM = "02 01 0400 0300 4000"
		pending       = "03 01 0800 4000 4000 0100 0100"
		connected     = "03 01 0800 4000 4000 0000 0000"
		configure     = "04 01 0800 4000 0000 01 02 a002"
	)
	for _, tt := range []struct {
		name   string
		answer func(h *host)
		want   string // the link's end, "": the channel opens
	}{
		{"right PIN", func(h *host) { h.pair("1234") }, ""},
		{"wrong PIN", func(h *host) {
			h.send(pinReply("0000"))
			h.want(pinReplyOK)
		}, "04 05 04 00 0100 05"},
		{"no PIN", func(h *host) {
			h.send(pinNegative)
			h.want(pinNegativeOK)
		}, "04 05 04 00 0100 06"},
		{"no answer", func(h *host) {}, "04 05 04 00 0100 22"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, DeviceConfig{}, func(t *testing.T, h *host, d *Device) {
				h.connect()
				h.signal(connectRFCOMM, pending)
				h.want(keyRequest)
				h.send(keyNegative)
				h.want(keyNegativeOK, pinRequest)
				tt.answer(h)
				if tt.want != "" {
					h.want(tt.want)
					return
				}
				h.wantSignals(connected, configure)
				h.configureL2CAP()
				h.rfcomm("03 3f 01")
				h.wantRFCOMM("03 73 01")
			})
		})
	}
	t.Run("refuse strangers", func(t *testing.T) {
		bubble(t, DeviceConfig{RefuseStrangers: true}, func(t *testing.T, h *host, d *Device) {
			h.connect()
			h.signal(connectRFCOMM, "03 01 0800 0000 4000 0300 0000")
			h.send(authRequested)
			h.want(authStarted, keyRequest)
			h.send(keyNegative)
			h.want(keyNegativeOK, pinRequest)
			h.pair("1234")
			h.want(authResult("00"))
			h.signal(connectRFCOMM, "03 01 0800 4100 4000 0000 0000", configure)
		})
	})
	t.Run("the host disconnects meanwhile", func(t *testing.T) {
		bubble(t, DeviceConfig{}, func(t *testing.T, h *host, d *Device) {
			h.connect()
			h.signal(connectRFCOMM, pending)
			h.want(keyRequest)
			h.signal("06 02 0400 4000 4000", "07 02 0400 4000 4000")
			h.send(keyNegative)
			h.want(keyNegativeOK, pinRequest)
			h.pair("1234")
			h.quiet()
		})
	})
}

// TestMode3 authenticates before the link is up.
func TestMode3(t *testing.T) {
	bubble(t, DeviceConfig{SecurityMode: 3}, func(t *testing.T, h *host, d *Device) {
		t.Log("wrong PIN")
		h.send(createConnection)
		h.want(connecting, keyRequest)
		h.send(keyNegative)
		h.want(keyNegativeOK, pinRequest)
		h.send(pinReply("0000"))
		h.want(pinReplyOK, connectFailed("05"))

		t.Log("right PIN")
		h.send(createConnection)
		h.want(connecting, keyRequest)
		h.send(keyNegative)
		h.want(keyNegativeOK, pinRequest)
		key := h.pair("1234")
		h.want("04 03 0b 00 0200" + wireMeter + "01 00")
		h.send("01 0604 03 0200 13")
		h.want(disconnecting, "04 05 04 00 0200 16")

		t.Log("with the key")
		h.send(createConnection)
		h.want(connecting, keyRequest)
		h.send(keyReply(key))
		h.want(keyReplyOK, "04 03 0b 00 0300"+wireMeter+"01 00")
		h.send("01 0604 03 0300 13")
		h.want(disconnecting, "04 05 04 00 0300 16")

		t.Log("the key was removed")
		d.ForgetKey()
		h.send(createConnection)
		h.want(connecting, keyRequest)
		h.send(keyReply(key))
		h.want(keyReplyOK, connectFailed("06"))

		t.Log("dropped, and cancelled, while it authenticates")
		h.send(createConnection)
		h.want(connecting, keyRequest)
		d.DropLink(ConnectionTimeout)
		h.want(connectFailed("08"))
		h.send(createConnection)
		h.want(connecting, keyRequest)
		h.send("01 0804 06" + wireMeter)
		h.want("04 0e 0a 01 0804 00"+wireMeter, connectFailed("02"))
		if d.Status().Linked {
			t.Error("linked after the end")
		}

		t.Log("out of reach while it authenticates")
		h.send(createConnection)
		h.want(connecting, keyRequest)
		d.SetAway(true)
		h.in(20*time.Second, func() { h.want(connectFailed("08")) })
	})
}
