package air

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

const (
	startInquiry = "01 0104 05 338b9e 08 00"
	inquiring    = "04 0f 04 00 01 0104"
	resultRSSI   = "04 22 0f 01" + wireMeter + "01 00 001f00 3412 c4"
	inquiryEnd   = "04 01 01 00"
)

func TestInquiry(t *testing.T) {
	bubble(t, DeviceConfig{}, func(t *testing.T, h *host, d *Device) {
		t.Log("with RSSI, as Linux asks for it: once in each of the 8 units")
		h.send("01 450c 01 01")
		h.want("04 0e 04 01 450c 00")
		h.send(startInquiry)
		h.in(10240*time.Millisecond, func() {
			h.want(inquiring)
			for range 8 {
				h.want(resultRSSI)
			}
			h.want(inquiryEnd)
		})

		t.Log("a second one meanwhile, and cancelled")
		h.send(startInquiry)
		h.want(inquiring)
		h.send(startInquiry)
		h.want("04 0f 04 0c 01 0104", resultRSSI)
		h.send("01 0204 00")
		h.want("04 0e 04 01 0204 00")

		t.Log("one response only")
		h.send("01 0104 05 338b9e 08 01")
		h.in(320*time.Millisecond, func() { h.want(inquiring, resultRSSI, inquiryEnd) })

		t.Log("without RSSI, after reset")
		h.send("01 030c 00")
		h.send("01 0104 05 338b9e 01 00")
		h.want("04 0e 04 01 030c 00", inquiring, "04 02 0f 01"+wireMeter+"01 00 00 001f00 3412", inquiryEnd)

		t.Log("nobody answers: away, hidden, limited inquiry")
		d.SetAway(true)
		h.send(startInquiry)
		h.want(inquiring, inquiryEnd)
		d.SetAway(false)
		d.SetHidden(true)
		h.send(startInquiry)
		h.want(inquiring, inquiryEnd)
		d.SetHidden(false)
		h.send("01 0104 05 008b9e 02 00")
		h.want(inquiring, inquiryEnd)
	})
}

// TestInquiryAppears has a device come into reach in the middle.
func TestInquiryAppears(t *testing.T) {
	bubble(t, DeviceConfig{}, func(t *testing.T, h *host, d *Device) {
		d.SetAway(true)
		d.SetRSSI(-80)
		h.send("01 450c 01 02")
		h.want("04 0e 04 01 450c 00")
		time.AfterFunc(9*time.Second, func() { d.SetAway(false) })
		h.send(startInquiry)
		h.want(inquiring, strings.TrimSuffix(resultRSSI, "c4")+"b0", inquiryEnd)
	})
}

func TestRemoteName(t *testing.T) {
	const (
		request = "01 1904 0a" + wireMeter + "01 00 0000"
		status  = "04 0f 04 00 01 1904"
	)
	answer := func(r, name string) string {
		return "04 07 ff" + r + wireMeter + name + strings.Repeat("00", nameLength-len(name)/2)
	}
	name := hex.EncodeToString([]byte("PowerSpy 4567"))
	for _, tt := range []struct {
		name   string
		device func(*Device)
		answer string
		after  time.Duration
	}{
		{"at once", func(*Device) {}, answer("00", name), 0},
		{"slow", func(d *Device) { d.SetNameDelay(3 * time.Second) }, answer("00", name), 3 * time.Second},
		{"busy", func(d *Device) { d.SetBusy(true) }, answer("00", name), 0},
		{"away", func(d *Device) { d.SetAway(true) }, answer("04", ""), 5120 * time.Millisecond},
		{"failing", func(d *Device) { d.SetNameFault(LMPResponseTimeout) }, answer("22", ""), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, DeviceConfig{}, func(t *testing.T, h *host, d *Device) {
				tt.device(d)
				h.send(request)
				h.in(tt.after, func() { h.want(status, tt.answer) })
			})
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		bubble(t, DeviceConfig{}, func(t *testing.T, h *host, d *Device) {
			d.SetAway(true)
			h.send(request)
			h.send(request)
			h.send("01 1a04 06" + wireMeter)
			h.want(status, "04 0f 04 0c 01 1904", "04 0e 0a 01 1a04 00"+wireMeter, answer("02", ""))
			time.Sleep(time.Minute)
			h.quiet()
		})
	})
}
