package air

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
)

// record7 is the attribute list of a serial port on channel 7.
const record7 = "354c" +
	"090000 0a00010001" + // record handle
	"090001 3503 191101" + // serial port
	"090004 350c 3503 190100 3505 190003 0807" + // L2CAP, RFCOMM channel 7
	"090005 3503 191002" + // public browse group
	"090006 3509 09656e 09006a 090100" + // English, UTF-8, names from 0x0100
	"090009 3508 3506 191101 090100" + // profile version 1.0
	"090100 2503 535050" // "SPP"

func newSDPDevice() *Device { return &Device{cfg: DeviceConfig{Channel: 7}} }

func TestSDP(t *testing.T) {
	for _, tt := range []struct{ name, request, want string }{
		{"search serial port", "02 0001 0008 3503191101 0001 00", "03 0001 0009 0001 0001 00010001 00"},
		{"search by 128 bits", "02 0002 0016 3511 1c 00001101 0000 1000 8000 00805f9b34fb 0001 00", "03 0002 0009 0001 0001 00010001 00"},
		{"search by 32 bits", "02 0003 000a 35051a00000003 0001 00", "03 0003 0009 0001 0001 00010001 00"},
		{"search two", "02 0004 000b 3506191101190100 0001 00", "03 0004 0009 0001 0001 00010001 00"},
		{"search something else", "02 0005 0008 350319110a 0001 00", "03 0005 0005 0000 0000 00"},
		{"search one of two", "02 0006 000b 350619110119110a 0001 00", "03 0006 0005 0000 0000 00"},
		{"one attribute", "04 0007 000c 00010001 ffff 3503090001 00", "05 0007 000d 000a 3508 090001 3503191101 00"},
		{"all attributes", "04 0008 000e 00010001 ffff 35050a0000ffff 00", "05 0008 0051 004e" + record7 + "00"},
		{"no such record", "04 0009 000e 00010002 ffff 35050a0000ffff 00", "01 0009 0002 0002"},
		{"search and attributes", "06 000a 000f 3503191101 ffff 35050a0000ffff 00",
			"07 000a 0053 0050 354e" + record7 + "00"},
		{"search in vain", "06 000b 000f 350319110a ffff 35050a0000ffff 00", "07 000b 0005 0002 3500 00"},
		{"unknown request", "08 000c 0000", "01 000c 0002 0003"},
		{"wrong length", "02 000d 0009 3503191101 0001 00", "01 000d 0002 0004"},
		{"no header", "02 00", "01 0000 0002 0004"},
		{"not a sequence", "02 000e 0006 191101 0001 00", "01 000e 0002 0003"},
		{"pattern cut short", "02 000f 0007 3508191101 0001", "01 000f 0002 0003"},
		{"bad continuation", "06 0010 0011 3503191101 ffff 35050a0000ffff 02 ffff", "01 0010 0002 0005"},
		{"too little room", "06 0011 000f 3503191101 0006 35050a0000ffff 00", "01 0011 0002 0003"},
	} {
		got := hex.EncodeToString(newSDPDevice().sdp(unhex(t, tt.request), defaultMTU))
		if want := strings.ReplaceAll(tt.want, " ", ""); got != want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, want)
		}
	}
}

// TestSDPContinuation collects an answer in parts, limited by the request and
// by the channel.
func TestSDPContinuation(t *testing.T) {
	d := newSDPDevice()
	whole := d.sdp(unhex(t, "06 0001 000f 3503191101 ffff 35050a0000ffff 00"), defaultMTU)
	whole = whole[7 : len(whole)-1]
	for _, tt := range []struct{ limit, mtu, parts int }{{7, 672, 12}, {50, 672, 2}, {0xffff, 48, 3}, {0xffff, 672, 1}} {
		var got, state []byte
		parts := 0
		for done := false; !done && parts < 100; parts++ {
			body := binary.BigEndian.AppendUint16(unhex(t, "3503191101"), uint16(tt.limit))
			body = append(append(append(body, unhex(t, "35050a0000ffff")...), byte(len(state))), state...)
			p := d.sdp(append(unhex(t, "06 0002 00"+hex.EncodeToString([]byte{byte(len(body))})), body...), tt.mtu)
			if len(p) > tt.mtu || p[0] != 0x07 {
				t.Fatalf("limit %d, MTU %d: answer %x of %d bytes", tt.limit, tt.mtu, p, len(p))
			}
			n := int(binary.BigEndian.Uint16(p[5:]))
			if n > tt.limit {
				t.Fatalf("limit %d: %d bytes of attributes", tt.limit, n)
			}
			got = append(got, p[7:7+n]...)
			state = p[7+n+1:]
			done = p[7+n] == 0
		}
		if string(got) != string(whole) || parts != tt.parts {
			t.Errorf("limit %d, MTU %d: %x in %d parts, want %x in %d", tt.limit, tt.mtu, got, parts, whole, tt.parts)
		}
	}
}
