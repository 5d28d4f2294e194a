package air

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bdaddr"
)

var meterAddress = bdaddr.Address{0x00, 0x0b, 0xce, 0x07, 0x1d, 0x32}

// wireMeter is meterAddress as HCI has it.
const wireMeter = "321d07ce0b00"

// unhex decodes hexadecimal digits, which may be spaced.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A host plays the kernel's part at the other end of a controller, inside a
// synctest bubble.
type host struct {
	t       *testing.T
	c       *Controller
	rw      net.Conn
	packets chan []byte
	err     chan error // of Run
	stop    context.CancelFunc
	handle  uint16
	granted int // credits seen
}

// bubble runs f in a bubble with a controller under way and one device, an
// echo, in its air; afterwards everything must be gone.
func bubble(t *testing.T, dev DeviceConfig, f func(t *testing.T, h *host, d *Device)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{})
		dev.Address = meterAddress
		if dev.Name == "" {
			dev.Name = "PowerSpy 4567"
		}
		if dev.Dial == nil {
			dev.Dial = dialEcho
		}
		d, err := c.Add(dev)
		if err != nil {
			t.Fatal(err)
		}
		h := plugIn(t, c)
		f(t, h, d)
		h.stop()
		if err := <-h.err; err != context.Canceled {
			t.Errorf("Run: %v, want context.Canceled", err)
		}
	})
}

func plugIn(t *testing.T, c *Controller) *host {
	near, far := net.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	h := &host{t: t, c: c, rw: near, packets: make(chan []byte, 1024), err: make(chan error, 1), stop: stop}
	go func() { h.err <- c.Run(ctx, far) }()
	go func() {
		defer close(h.packets)
		buf := make([]byte, 1<<16)
		for {
			n, err := near.Read(buf)
			if err != nil {
				return
			}
			h.packets <- bytes.Clone(buf[:n])
		}
	}()
	return h
}

// dialEcho returns a connection that says what it is told.
func dialEcho(context.Context) (io.ReadWriteCloser, error) {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		_, _ = io.Copy(far, far) // ends when near is closed
	}()
	return near, nil
}

func (h *host) write(p []byte) {
	h.t.Helper()
	if _, err := h.rw.Write(p); err != nil {
		h.t.Fatal(err)
	}
}

// send writes a packet given in hexadecimal.
func (h *host) send(s string) {
	h.t.Helper()
	h.write(unhex(h.t, s))
}

// routine tells packets whose place among others depends on goroutines: Number
// Of Completed Packets, and RFCOMM frames of nothing but credits, which it counts.
func (h *host) routine(p []byte) bool {
	if p[0] == packetEvent && p[1] == evCompletedPackets {
		return true
	}
	if p[0] == packetACL && len(p) == 14 && p[7] == firstDynamicID && p[10] == frameUIH|pollFinal && p[11] == 1 {
		h.granted += int(p[12])
		return true
	}
	return false
}

// next returns the controller's next packet that is no routine, however long
// it takes on the bubble's clock.
func (h *host) next() []byte {
	h.t.Helper()
	for {
		select {
		case p, ok := <-h.packets:
			if !ok {
				h.t.Fatal("controller gone")
			}
			if h.routine(p) {
				continue
			}
			return p
		case <-time.After(time.Hour):
			h.t.Fatal("nothing from the controller")
		}
	}
}

// want reads packets and compares them with those given in hexadecimal.
func (h *host) want(packets ...string) {
	h.t.Helper()
	for i, want := range packets {
		got := hex.EncodeToString(h.next())
		if diff := cmp.Diff(strings.ReplaceAll(want, " ", ""), got); diff != "" {
			h.t.Fatalf("unexpected packet %d (-want +got):\n%s", i, diff)
		}
	}
}

// quiet checks that nothing is on its way at this moment.
func (h *host) quiet() {
	h.t.Helper()
	synctest.Wait()
	for {
		select {
		case p := <-h.packets:
			if h.routine(p) {
				continue
			}
			h.t.Fatalf("unexpected packet %x", p)
		default:
			return
		}
	}
}

// in checks that f takes exactly d.
func (h *host) in(d time.Duration, f func()) {
	h.t.Helper()
	start := time.Now()
	f()
	if got := time.Since(start); got != d {
		h.t.Errorf("took %v, want %v", got, d)
	}
}

const createConnection = "01 0504 0d" + wireMeter + "18cc 01 00 0000 01"

// connect raises the link of a device in mode 1 or 2.
func (h *host) connect() {
	h.t.Helper()
	h.send(createConnection)
	h.want("04 0f 04 00 01 0504")
	p := h.next()
	h.handle = binary.LittleEndian.Uint16(p[4:])
	h.expect("04 03 0b 00"+hex.EncodeToString(le16(nil, h.handle))+wireMeter+"01 00", p)
}

func (h *host) expect(want string, got []byte) {
	h.t.Helper()
	if diff := cmp.Diff(strings.ReplaceAll(want, " ", ""), hex.EncodeToString(got)); diff != "" {
		h.t.Fatalf("unexpected packet (-want +got):\n%s", diff)
	}
}

// sendL2CAP sends one packet on the device's channel id.
func (h *host) sendL2CAP(id uint16, payload []byte) {
	h.t.Helper()
	b := le16(le16(nil, uint16(len(payload))), id)
	h.write(aclPacket(h.handle, append(b, payload...)))
}

// nextL2CAP returns the next L2CAP packet of the device.
func (h *host) nextL2CAP() (id uint16, payload []byte) {
	h.t.Helper()
	p := h.next()
	if p[0] != packetACL {
		h.t.Fatalf("got packet %x, want ACL data", p)
	}
	if got := binary.LittleEndian.Uint16(p[1:]) & 0xfff; got != h.handle {
		h.t.Fatalf("data of handle %d, want %d", got, h.handle)
	}
	return binary.LittleEndian.Uint16(p[7:]), p[9:]
}

// signal sends signalling and wants these answers.
func (h *host) signal(command string, answers ...string) {
	h.t.Helper()
	h.sendL2CAP(signallingID, unhex(h.t, command))
	h.wantSignals(answers...)
}

func (h *host) wantSignals(answers ...string) {
	h.t.Helper()
	for i, want := range answers {
		id, got := h.nextL2CAP()
		if id != signallingID {
			h.t.Fatalf("packet for channel %#x, want signalling", id)
		}
		if diff := cmp.Diff(strings.ReplaceAll(want, " ", ""), hex.EncodeToString(got)); diff != "" {
			h.t.Fatalf("unexpected signal %d (-want +got):\n%s", i, diff)
		}
	}
}

// openL2CAP opens the first channel of a link as 0x0040 on both sides.
func (h *host) openL2CAP(psm string) {
	h.t.Helper()
	h.signal("02 01 0400"+psm+"4000",
		"03 01 0800 4000 4000 0000 0000",
		"04 01 0800 4000 0000 01 02 a002")
	h.configureL2CAP()
}

func (h *host) configureL2CAP() {
	h.t.Helper()
	h.signal("05 01 0600 4000 0000 0000")
	h.signal("04 02 0800 4000 0000 01 02 f503", "05 02 0a00 4000 0000 0000 01 02 f503")
}

// rfcomm sends a frame in hexadecimal, without its FCS.
func (h *host) rfcomm(s string) {
	h.t.Helper()
	b := unhex(h.t, s)
	n := 3
	if b[1] == frameUIH || b[1] == frameUIH|pollFinal {
		n = 2
	}
	h.sendL2CAP(firstDynamicID, append(b, fcs(b[:n])))
}

// wantRFCOMM reads frames and compares them with hexadecimal, without FCS.
func (h *host) wantRFCOMM(frames ...string) {
	h.t.Helper()
	for i, want := range frames {
		id, got := h.nextL2CAP()
		if _, ok := parseFrame(got); id != firstDynamicID || !ok {
			h.t.Fatalf("unexpected frame %x on channel %#x", got, id)
		}
		if diff := cmp.Diff(strings.ReplaceAll(want, " ", ""), hex.EncodeToString(got[:len(got)-1])); diff != "" {
			h.t.Fatalf("unexpected frame %d (-want +got):\n%s", i, diff)
		}
	}
}

// openPort connects and opens the serial port of a device in mode 1, with
// credits: 7 for the device, 7 for the host.
func (h *host) openPort() {
	h.t.Helper()
	h.connect()
	h.openL2CAP("0300")
	h.rfcomm("03 3f 01")
	h.wantRFCOMM("03 73 01")
	h.rfcomm("03 ef 15 83 11 02 f0 00 00 9b02 00 07")
	h.wantRFCOMM("01 ef 15 81 11 02 e0 00 00 4a01 00 07")
	h.rfcomm("0b 3f 01")
	h.wantRFCOMM("0b 73 01", "01 ef 09 e3 05 0b 8d")
	h.rfcomm("03 ef 09 e3 05 0b 8d")
	h.wantRFCOMM("01 ef 09 e1 05 0b 8d")
	h.rfcomm("03 ef 09 e1 05 0b 8d")
}

// data reads n bytes of the serial port of openPort.
func (h *host) data(n int) string {
	h.t.Helper()
	var b []byte
	for len(b) < n {
		id, p := h.nextL2CAP()
		f, ok := parseFrame(p)
		if id != firstDynamicID || !ok || f.kind != frameUIH {
			h.t.Fatalf("unexpected frame %x on channel %#x", p, id)
		}
		if f.dlci == 2 {
			b = append(b, f.data...)
		}
	}
	return string(b)
}
