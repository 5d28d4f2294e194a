package air

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/bdaddr"
)

// TestCommands sends the commands of a host that sets up its adapter, in one
// session: what one row writes later ones read.
func TestCommands(t *testing.T) {
	name := hex.EncodeToString([]byte("host"))
	bubble(t, DeviceConfig{}, func(t *testing.T, h *host, _ *Device) {
		for _, tt := range []struct{ name, send, want string }{
			{"reset", "01 030c 00", "04 0e 04 01 030c 00"},
			{"version", "01 0110 00", "04 0e 0c 01 0110 00 04 7312 04 0a00 7312"},
			{"features", "01 0310 00", "04 0e 0c 01 0310 00 ffff8ffe9bff5983"},
			{"extended features 0", "01 0410 01 00", "04 0e 0e 01 0410 00 00 01 ffff8ffe9bff5983"},
			{"extended features 1", "01 0410 01 01", "04 0e 0e 01 0410 00 01 01 0000000000000000"},
			{"buffers", "01 0510 00", "04 0e 0b 01 0510 00 3601 40 0a00 0800"},
			{"address", "01 0910 00", "04 0e 0a 01 0910 00 1371da7d1a00"},
			{"write name without padding", "01 130c 04" + name, "04 0e 04 01 130c 00"},
			{"read name", "01 140c 00", "04 0e fc 01 140c 00" + name + strings.Repeat("00", 244)},
			{"write class", "01 240c 03 0c0110", "04 0e 04 01 240c 00"},
			{"read class", "01 230c 00", "04 0e 07 01 230c 00 0c0110"},
			{"write class too short", "01 240c 02 0c01", "04 0e 04 01 240c 12"},
			{"class is kept", "01 230c 00", "04 0e 07 01 230c 00 0c0110"},
			{"voice", "01 250c 00", "04 0e 06 01 250c 00 6000"},
			{"page timeout", "01 170c 00", "04 0e 06 01 170c 00 0020"},
			{"stored keys", "01 0d0c 07 00000000000001", "04 0e 08 01 0d0c 00 0000 0000"},
			{"simple pairing on", "01 560c 01 01", "04 0e 04 01 560c 00"},
			{"host features", "01 0410 01 01", "04 0e 0e 01 0410 00 01 01 0100000000000000"},
			{"event mask", "01 010c 08 ffffffffffffffff", "04 0e 04 01 010c 00"},
			{"reset again", "01 030c 00", "04 0e 04 01 030c 00"},
			{"class after reset", "01 230c 00", "04 0e 07 01 230c 00 000000"},
			{"low energy is unknown", "01 0120 08 0000000000000000", "04 0f 04 01 01 0120"},
			{"role of no link", "01 0908 02 0100", "04 0e 06 01 0908 02 0100"},
			{"disconnect no link", "01 0604 03 0100 13", "04 0f 04 02 01 0604"},
			{"no key asked for", "01 0c04 06" + wireMeter, "04 0e 0a 01 0c04 02" + wireMeter},
			{"no page to cancel", "01 0804 06" + wireMeter, "04 0e 0a 01 0804 02" + wireMeter},
			{"inquiry of no length", "01 0104 05 338b9e 00 00", "04 0f 04 12 01 0104"},
			{"no inquiry to cancel", "01 0204 00", "04 0e 04 01 0204 0c"},
		} {
			h.t = t
			h.send(tt.send)
			if got, want := hex.EncodeToString(h.next()), strings.ReplaceAll(tt.want, " ", ""); got != want {
				t.Errorf("%s: got %s, want %s", tt.name, got, want)
			}
		}
		h.quiet()
	})
}

func TestSupportedCommands(t *testing.T) {
	seen := make(map[uint16]uint16)
	for opcode, cmd := range commands {
		if other, ok := seen[cmd.bit]; ok {
			t.Errorf("commands 0x%04x and 0x%04x have the same bit 0x%03x", opcode, other, cmd.bit)
		}
		seen[cmd.bit] = opcode
	}
	m := supportedCommands()
	// Inquiry, Create Connection, Disconnect; PIN code replies; Reset.
	for _, tt := range []struct{ octet, bits byte }{{0, 0x31}, {1, 0x3c}, {5, 0x80}, {7, 0x30}} {
		if got := m[tt.octet] & tt.bits; got != tt.bits {
			t.Errorf("octet %d is 0x%02x, want 0x%02x in it", tt.octet, m[tt.octet], tt.bits)
		}
	}
	if got := m[25]; got != 0 {
		t.Errorf("low energy commands 0x%02x in octet 25, want none", got)
	}
}

func TestUnknownCommandHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		c := New(Config{UnknownCommand: func(opcode uint16, params []byte) {
			got = append(got, fmt.Sprintf("%04x %x", opcode, params))
		}})
		h := plugIn(t, c)
		h.send("01 0120 02 beef")
		h.want("04 0f 04 01 01 0120")
		h.stop()
		if err := <-h.err; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		if want := []string{"2001 beef"}; !slices.Equal(got, want) {
			t.Errorf("hook saw %q, want %q", got, want)
		}
	})
}

// TestStream sends packets cut and joined: the stream is what counts.
func TestStream(t *testing.T) {
	bubble(t, DeviceConfig{}, func(t *testing.T, h *host, _ *Device) {
		h.send("01 03")
		h.send("0c 00 01 0910 00 01")
		h.want("04 0e 04 01 030c 00", "04 0e 0a 01 0910 00 1371da7d1a00")
		h.send("0310 00")
		h.want("04 0e 0c 01 0310 00 ffff8ffe9bff5983")
	})
}

func TestRunEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(h *host)
		want error
	}{
		{"host closes", func(h *host) { h.rw.Close() }, io.EOF},
		{"not HCI", func(h *host) { h.send("77 00") }, errPacketType},
		{"unplugged", func(h *host) { h.c.Unplug() }, ErrUnplugged},
		{"context", func(h *host) { h.stop() }, context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := New(Config{})
				d, err := c.Add(DeviceConfig{Address: meterAddress, SecurityMode: 1, Dial: dialEcho})
				if err != nil {
					t.Fatal(err)
				}
				h := plugIn(t, c)
				h.openPort()
				h.quiet()
				tt.end(h)
				if err := <-h.err; !errors.Is(err, tt.want) {
					t.Errorf("Run: %v, want %v", err, tt.want)
				}
				h.stop()
				if d.Status().Linked {
					t.Error("the link outlived Run")
				}
			})
		})
	}
}

// deaf takes no packet.
type deaf struct{ net.Conn }

var errDeaf = errors.New("deaf")

func (deaf) Write([]byte) (int, error) { return 0, errDeaf }

func TestRunWriteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- New(Config{}).Run(t.Context(), deaf{far}) }()
		if _, err := near.Write(unhex(t, "01 030c 00")); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, errDeaf) {
			t.Errorf("Run: %v, want %v", err, errDeaf)
		}
	})
}

// TestBackpressure has a host that writes and does not read.
func TestBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := New(Config{})
		ended := make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		go func() { ended <- c.Run(ctx, far) }()
		if err := near.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		sent := 0
		for ; sent < 10*outputLimit; sent++ {
			if _, err := near.Write([]byte{packetCommand, 0x03, 0x0c, 0}); err != nil {
				break
			}
		}
		// As many as wait, and perhaps as many that are being written.
		if sent < outputLimit || sent > 2*outputLimit+2 {
			t.Errorf("%d commands taken without a reader, want %d to %d", sent, outputLimit, 2*outputLimit+2)
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRunTwice(t *testing.T) {
	bubble(t, DeviceConfig{}, func(t *testing.T, h *host, _ *Device) {
		h.send("01 030c 00")
		h.want("04 0e 04 01 030c 00")
		near, far := net.Pipe()
		if err := h.c.Run(t.Context(), far); !errors.Is(err, errRunning) {
			t.Errorf("second Run: %v, want %v", err, errRunning)
		}
		if _, err := near.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("second stream: %v, want it closed", err)
		}
	})
}

// TestServe pulls the adapter out and puts it in again.
func TestServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{})
		ctx, stop := context.WithCancel(t.Context())
		hosts := make(chan net.Conn, 1)
		served := make(chan error, 1)
		go func() {
			served <- c.Serve(ctx, func() (io.ReadWriteCloser, error) {
				near, far := net.Pipe()
				hosts <- near
				return far, nil
			})
		}()
		first := <-hosts
		c.Unplug()
		if _, err := first.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("unplugged: %v, want EOF", err)
		}
		synctest.Wait()
		select {
		case <-hosts:
			t.Fatal("opened while unplugged")
		default:
		}
		c.Plug()
		<-hosts
		c.Unplug()
		synctest.Wait()
		stop()
		if err := <-served; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v, want context.Canceled", err)
		}
	})
}

func TestServeOpenFails(t *testing.T) {
	want := errors.New("no such device")
	err := New(Config{}).Serve(t.Context(), func() (io.ReadWriteCloser, error) { return nil, want })
	if !errors.Is(err, want) {
		t.Errorf("Serve: %v, want %v", err, want)
	}
}

func TestHung(t *testing.T) {
	bubble(t, DeviceConfig{SecurityMode: 1}, func(t *testing.T, h *host, _ *Device) {
		h.openPort()
		h.c.SetHung(true)
		h.send("01 030c 00")
		h.rfcomm("0b ef 05 6869")
		h.quiet()
		h.c.SetHung(false)
		if got := h.data(2); got != "hi" {
			t.Errorf("echo of what was held: %q", got)
		}
		h.send("01 0910 00") // the lost reset did not happen
		h.want("04 0e 0a 01 0910 00 1371da7d1a00")
	})
}

func TestAdd(t *testing.T) {
	good := DeviceConfig{Address: meterAddress, Dial: dialEcho}
	for _, tt := range []struct {
		name   string
		change func(*DeviceConfig)
		want   string
	}{
		{"no address", func(c *DeviceConfig) { c.Address = bdaddr.Address{} }, "without an address"},
		{"no Dial", func(c *DeviceConfig) { c.Dial = nil }, "without a Dial"},
		{"long name", func(c *DeviceConfig) { c.Name = strings.Repeat("x", 249) }, "name of 249 bytes"},
		{"long PIN", func(c *DeviceConfig) { c.PIN = strings.Repeat("1", 17) }, "PIN of 17 bytes"},
		{"class", func(c *DeviceConfig) { c.Class = 1 << 24 }, "class 0x1000000"},
		{"mode", func(c *DeviceConfig) { c.SecurityMode = 4 }, "security mode 4"},
		{"MTU", func(c *DeviceConfig) { c.MTU = 47 }, "MTU 47"},
		{"frame size", func(c *DeviceConfig) { c.FrameSize = -1 }, "frame size -1"},
		{"channel", func(c *DeviceConfig) { c.Channel = 31 }, "channel 31"},
	} {
		cfg := good
		tt.change(&cfg)
		c := New(Config{})
		if _, err := c.Add(cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want it to say %q", tt.name, err, tt.want)
		}
		if n := len(c.Devices()); n != 0 {
			t.Errorf("%s: %d devices in range", tt.name, n)
		}
	}
	c := New(Config{})
	if _, err := c.Add(good); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Add(good); err == nil {
		t.Error("the same address twice")
	}
}

func TestRemove(t *testing.T) {
	bubble(t, DeviceConfig{}, func(t *testing.T, h *host, d *Device) {
		h.connect()
		if !h.c.Remove(d) || h.c.Remove(d) {
			t.Error("Remove: want true, then false")
		}
		h.want("04 05 04 00 0100 08")
		h.send(createConnection)
		h.in(5120*time.Millisecond, func() {
			h.want("04 0f 04 00 01 0504", "04 03 0b 04 0000"+wireMeter+"01 00")
		})
	})
}
