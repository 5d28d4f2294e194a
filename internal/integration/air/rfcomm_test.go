package air

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFCS uses frames that a Linux kernel sent.
func TestFCS(t *testing.T) {
	for _, tt := range []struct {
		name, covered string
		want          byte
	}{
		{"SABM 0", "033f01", 0x1c},
		{"UA 0", "037301", 0xd7},
		{"DISC 0", "035301", 0xfd},
		{"SABM 2", "0b3f01", 0x59},
		{"DM 2", "0b1f01", 0x73},
		{"UIH 0 of the initiator", "03ef", 0x70},
		{"UIH 0 of the responder", "01ef", 0xaa},
		{"nothing", "", 0x00},
	} {
		if got := fcs(unhex(t, tt.covered)); got != tt.want {
			t.Errorf("%s: 0x%02x, want 0x%02x", tt.name, got, tt.want)
		}
	}
}

func TestFrames(t *testing.T) {
	long := bytes.Repeat([]byte{'x'}, 130)
	for _, tt := range []struct {
		name string
		f    frame
		wire string
	}{
		{"SABM", frame{dlci: 2, response: true, kind: 0x2f, poll: true}, "0b3f0159"},
		{"data", frame{dlci: 2, kind: frameUIH, data: []byte("hi")}, "09ef0568695c"},
		{"long data", frame{dlci: 2, kind: frameUIH, data: long}, "09ef0401" + strings.Repeat("78", 130) + "5c"},
	} {
		p := appendFrame(tt.f, false)
		if got := hex.EncodeToString(p); got[:len(got)-2] != tt.wire[:len(tt.wire)-2] {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.wire)
		}
		got, ok := parseFrame(p)
		if !ok {
			t.Errorf("%s: not understood", tt.name)
		}
		if diff := cmp.Diff(tt.f, got, cmp.AllowUnexported(frame{}), cmp.Transformer("text", func(b []byte) string { return string(b) })); diff != "" {
			t.Errorf("%s: unexpected frame (-want +got):\n%s", tt.name, diff)
		}
	}
	for _, tt := range []struct{ name, wire string }{
		{"wrong FCS", "0b3f0158"},
		{"too short", "0b3f59"},
		{"extended address", "0a3f0159"},
		{"length beyond the end", "0b3f0359"},
		{"bytes too many", "09ef0161625c"},
		{"no room for the long length", "09ef045c"},
	} {
		if f, ok := parseFrame(unhex(t, tt.wire)); ok {
			t.Errorf("%s: taken for %+v", tt.name, f)
		}
	}
}

func TestSerialPort(t *testing.T) {
	bubble(t, DeviceConfig{SecurityMode: 1}, func(t *testing.T, h *host, d *Device) {
		h.openPort()
		h.rfcomm("0b ef 0b 68656c6c6f")
		if got := h.data(5); got != "hello" {
			t.Errorf("echo of hello: %q", got)
		}
		if !d.Status().Open {
			t.Error("the port is not open")
		}
		t.Log("closed by the host, then the multiplexer, then opened again")
		h.quiet()
		h.rfcomm("0b 53 01")
		h.wantRFCOMM("0b 73 01")
		h.rfcomm("0b 53 01")
		h.wantRFCOMM("0b 1f 01")
		h.rfcomm("0b ef 03 61")
		h.wantRFCOMM("0b 1f 01")
		h.rfcomm("03 53 01")
		h.wantRFCOMM("03 73 01")
		h.rfcomm("0b 3f 01")
		h.wantRFCOMM("0b 1f 01") // the multiplexer first
		h.rfcomm("03 3f 01")
		h.wantRFCOMM("03 73 01")
		h.rfcomm("13 3f 01")
		h.wantRFCOMM("13 1f 01") // nobody listens on channel 2
		h.rfcomm("0b 3f 01")
		h.wantRFCOMM("0b 73 01", "01 ef 09 e3 05 0b 8d")
	})
}

// TestCredits has the device say more than the host takes.
func TestCredits(t *testing.T) {
	said := bytes.Repeat([]byte("0123456789"), 500) // 16 frames of 330 bytes
	dial := func(context.Context) (io.ReadWriteCloser, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			if _, err := far.Write(said); err == nil {
				_, _ = io.Copy(io.Discard, far) // ends when near is closed
			}
		}()
		return near, nil
	}
	bubble(t, DeviceConfig{SecurityMode: 1, Dial: dial}, func(t *testing.T, h *host, d *Device) {
		h.openPort()
		got := h.data(7 * 330)
		h.quiet() // 7 credits are used up
		h.rfcomm("0b ff 01 02")
		got += h.data(2 * 330)
		h.quiet()
		h.rfcomm("03 ef 05 63 01") // FCoff
		h.wantRFCOMM("01 ef 05 61 01")
		h.rfcomm("0b ff 01 ff")
		h.quiet()
		h.rfcomm("03 ef 05 a3 01") // FCon
		h.wantRFCOMM("01 ef 05 a1 01")
		got += h.data(len(said) - 9*330)
		if got != string(said) {
			t.Errorf("got %d bytes, want what was said, %d", len(got), len(said))
		}
		h.quiet()

		t.Log("credits of the host: used up, given back, used without leave")
		granted := startCredits
		for range 40 {
			h.rfcomm("0b ef 03 61")
			granted--
			h.quiet()
			if now := granted + h.granted; now < 1 || now > creditWindow {
				t.Fatalf("%d credits at the host, want 1 to %d", now, creditWindow)
			}
		}
	})
}

// TestCreditsExceeded writes to a device that does not read.
func TestCreditsExceeded(t *testing.T) {
	dial := func(context.Context) (io.ReadWriteCloser, error) {
		near, _ := net.Pipe()
		return near, nil
	}
	bubble(t, DeviceConfig{SecurityMode: 1, Dial: dial}, func(t *testing.T, h *host, d *Device) {
		h.openPort()
		for range startCredits {
			h.rfcomm("0b ef 03 61")
		}
		h.quiet()
		if h.granted != 0 {
			t.Errorf("%d credits for what the device has not taken", h.granted)
		}
		h.rfcomm("0b ef 03 61")
		h.wantRFCOMM("0b 1f 01")
	})
}

// TestPlain opens a channel without PN: no credits, flow control by MSC.
func TestPlain(t *testing.T) {
	var block chan struct{} // made in the bubble
	dial := func(context.Context) (io.ReadWriteCloser, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			<-block
			_, _ = io.Copy(far, far) // ends when near is closed
		}()
		return near, nil
	}
	bubble(t, DeviceConfig{SecurityMode: 1, Dial: dial}, func(t *testing.T, h *host, d *Device) {
		block = make(chan struct{})
		h.connect()
		h.openL2CAP("0300")
		h.rfcomm("03 3f 01")
		h.rfcomm("0b 3f 01")
		h.wantRFCOMM("03 73 01", "0b 73 01", "01 ef 09 e3 05 0b 8d")
		h.rfcomm("03 ef 09 e3 05 0b 8f") // not ready: FC
		h.wantRFCOMM("01 ef 09 e1 05 0b 8f")
		data := "0b ef fe 01" + strings.Repeat("61", 255)
		sent := 0
		for sent <= 2*plainQueueLimit+2*255 { // up to one limit may be on its way to the device
			h.rfcomm(data)
			sent += 255
		}
		h.wantRFCOMM("01 ef 09 e3 05 0b 8f") // stop
		close(block)
		h.wantRFCOMM("01 ef 09 e3 05 0b 8d") // go on
		h.quiet()
		h.rfcomm("03 ef 09 e3 05 0b 8d")
		h.wantRFCOMM("01 ef 09 e1 05 0b 8d")
		if got := h.data(sent); got != strings.Repeat("a", sent) {
			t.Errorf("echo of %d bytes: %d", sent, len(got))
		}
	})
}

func TestMultiplexerCommands(t *testing.T) {
	bubble(t, DeviceConfig{SecurityMode: 1}, func(t *testing.T, h *host, d *Device) {
		h.openPort()
		for _, tt := range []struct{ name, send, want string }{
			{"test", "03 ef 0b 23 07 616263", "01 ef 0b 21 07 616263"},
			{"RPN request", "03 ef 07 93 03 0b", "01 ef 15 91 11 0b 03 03 00 11 13 ff 3f"},
			{"RPN", "03 ef 15 93 11 0b 07 03 00 11 13 7f 00", "01 ef 15 91 11 0b 07 03 00 11 13 7f 00"},
			{"RLS", "03 ef 09 53 05 0b 01", "01 ef 09 51 05 0b 01"},
			{"unknown", "03 ef 05 c3 01", "01 ef 07 11 03 c3"},
			{"PN of an open channel", "03 ef 15 83 11 02 f0 00 00 9b02 00 07", "01 ef 15 81 11 02 f0 00 00 9b02 00 07"},
			{"PN without credits", "03 ef 15 83 11 04 00 00 00 1000 00 00", "01 ef 15 81 11 04 00 00 00 1000 00 00"},
		} {
			t.Log(tt.name)
			h.rfcomm(tt.send)
			h.wantRFCOMM(tt.want)
		}
		t.Log("answers and rubbish")
		h.rfcomm("03 ef 07 11 03 c3")
		h.rfcomm("03 ef 03 83")
		h.rfcomm("03 ef 05 83 13")
		h.sendL2CAP(firstDynamicID, unhex(t, "03ef0583011f"))
		h.quiet()
	})
}

func TestSmallFrames(t *testing.T) {
	bubble(t, DeviceConfig{SecurityMode: 1, MTU: 48}, func(t *testing.T, h *host, d *Device) {
		h.connect()
		h.signal("02 01 0400 0300 4000", "03 01 0800 4000 4000 0000 0000", "04 01 0800 4000 0000 01 02 3000")
		h.configureL2CAP()
		h.rfcomm("03 3f 01")
		h.wantRFCOMM("03 73 01")
		h.rfcomm("03 ef 15 83 11 02 f0 00 00 9b02 00 07")
		h.wantRFCOMM("01 ef 15 81 11 02 e0 00 00 2a00 00 07")
	})
}

func TestDialFails(t *testing.T) {
	dial := func(context.Context) (io.ReadWriteCloser, error) { return nil, errors.New("no meter") }
	bubble(t, DeviceConfig{SecurityMode: 1, Dial: dial}, func(t *testing.T, h *host, d *Device) {
		h.connect()
		h.openL2CAP("0300")
		h.rfcomm("03 3f 01")
		h.wantRFCOMM("03 73 01")
		h.rfcomm("0b 3f 01")
		h.wantRFCOMM("0b 1f 01")
	})
}

// TestDeviceCloses has the other end of the serial port close it.
func TestDeviceCloses(t *testing.T) {
	var far chan net.Conn // made in the bubble
	dial := func(context.Context) (io.ReadWriteCloser, error) {
		a, b := net.Pipe()
		far <- b
		return a, nil
	}
	bubble(t, DeviceConfig{SecurityMode: 1, Dial: dial}, func(t *testing.T, h *host, d *Device) {
		far = make(chan net.Conn, 1)
		h.openPort()
		(<-far).Close()
		h.wantRFCOMM("09 53 01")
		h.rfcomm("09 73 01")
		h.quiet()
	})
}

// TestLastWords closes the channel right after writing: the device hears it,
// and only then can the port be opened again.
func TestLastWords(t *testing.T) {
	var ( // made in the bubble
		heard chan string
		slow  chan struct{}
	)
	dial := func(context.Context) (io.ReadWriteCloser, error) {
		a, b := net.Pipe()
		go func() {
			<-slow
			all, err := io.ReadAll(b)
			if err != nil {
				all = []byte(err.Error())
			}
			heard <- string(all)
			b.Close()
		}()
		return a, nil
	}
	bubble(t, DeviceConfig{SecurityMode: 1, Dial: dial}, func(t *testing.T, h *host, d *Device) {
		heard, slow = make(chan string, 2), make(chan struct{})
		h.openPort()
		h.rfcomm("0b ef 07 3c513e")
		h.rfcomm("0b 53 01")
		h.wantRFCOMM("0b 73 01")
		h.rfcomm("0b 3f 01")
		h.quiet()
		time.AfterFunc(drainTime/2, func() { close(slow) })
		h.in(drainTime/2, func() { h.wantRFCOMM("0b 73 01", "01 ef 09 e3 05 0b 8d") })
		if got := <-heard; got != "<Q>" {
			t.Errorf("the device heard %q, want <Q>", got)
		}
	})
}

func TestDropChannel(t *testing.T) {
	bubble(t, DeviceConfig{SecurityMode: 1}, func(t *testing.T, h *host, d *Device) {
		if d.DropChannel() {
			t.Error("dropped a channel before there was one")
		}
		h.openPort()
		if !d.DropChannel() || d.DropChannel() {
			t.Error("DropChannel: want true, then false")
		}
		h.wantRFCOMM("09 53 01")
		h.rfcomm("09 73 01")
		h.rfcomm("0b 3f 01")
		h.wantRFCOMM("0b 73 01", "01 ef 09 e3 05 0b 8d")
	})
}

func TestSilent(t *testing.T) {
	bubble(t, DeviceConfig{SecurityMode: 1}, func(t *testing.T, h *host, d *Device) {
		h.openPort()
		d.SetSilent(true)
		h.rfcomm("0b ef 03 61")
		time.Sleep(time.Hour)
		h.quiet()
		d.SetSilent(false)
		h.rfcomm("0b ef 03 62")
		if got := h.data(1); got != "b" {
			t.Errorf("after silence: %q, want b: what was said meanwhile is lost", got)
		}
	})
}

func TestSetChannel(t *testing.T) {
	bubble(t, DeviceConfig{SecurityMode: 1}, func(t *testing.T, h *host, d *Device) {
		for _, channel := range []uint8{0, 31} {
			if err := d.SetChannel(channel); err == nil {
				t.Errorf("channel %d taken", channel)
			}
		}
		if err := d.SetChannel(3); err != nil {
			t.Fatal(err)
		}
		h.connect()
		h.openL2CAP("0300")
		h.rfcomm("03 3f 01")
		h.rfcomm("0b 3f 01")
		h.rfcomm("1b 3f 01")
		h.wantRFCOMM("03 73 01", "0b 1f 01", "1b 73 01", "01 ef 09 e3 05 1b 8d")
	})
}
