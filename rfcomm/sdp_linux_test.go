package rfcomm

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// unhex reads bytes written in hexadecimal, with spaces anywhere and comments to the ends of lines.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "//")
		for field := range strings.FieldsSeq(line) {
			digits.WriteString(field)
		}
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What goldenLists wants instead of a channel.
const (
	noService = 0
	malformed = -1
)

// serialPort is the attribute lists of an embedded device with one service.
const serialPort = `
	35 2e
	  35 2c
	    09 0000 0a 00010001                               // record handle
	    09 0001 35 03 19 1101                             // service classes: serial port
	    09 0004 35 0c 35 03 19 0100  35 05 19 0003 08 01  // protocols: L2CAP, RFCOMM channel 1
	    09 0100 25 06 53 65 72 69 61 6c                   // name: Serial`

var goldenLists = []struct {
	name, hex string
	want      int
}{
	{"serial port", serialPort, 1},
	{"long headers, 32-bit and 128-bit UUIDs", `
		37 0000002c
		  36 0029
		    09 0004 36 0023
		      36 0008 1a 00000100 09 0001                                // L2CAP, PSM 1
		      37 00000013 1c 00000003 0000 1000 8000 00805f9b34fb 08 09  // RFCOMM channel 9`, 9},
	{"highest channel, another parameter behind it", `
		36 0028
		  35 26
		    09 0004 35 21
		      35 06 19 0100 09 0003
		      35 17 1c 00000003 0000 1000 8000 00805f9b34fb 08 1e 25 02 68 69`, 30},
	{"16-bit channel", `35 13 35 11 09 0004 35 0c 35 0a 1a 00000003 09 0005 08 00`, 5},
	{"another UUID that begins like RFCOMM's", `
		35 1c 35 1a 09 0004 35 15 35 13 1c 00000003 0000 1000 8000 00805f9b34fc 08 01`, noService},
	{"a choice of stacks", `
		35 17 35 15 09 0004 3d 10 35 05 35 03 19 0100 35 07 35 05 19 0003 08 07`, 7},
	{"second of two records", `
		35 1a
		  35 0a 09 0004 35 05 35 03 19 0100
		  35 0c 09 0004 35 07 35 05 19 0003 08 02`, 2},
	{"no record", `35 00`, noService},
	{"a record without protocols", `35 0a 35 08 09 0000 0a 00010001`, noService},
	{"an empty record", `35 02 35 00`, noService},
	{"nothing", ``, malformed},
	{"not a sequence", `08 01`, malformed},
	{"a record that is no sequence", `35 02 08 01`, malformed},
	{"bytes left over", `35 00 00`, malformed},
	{"shorter than it says", `35 10 35 00`, malformed},
	{"length cut off", `36 00`, malformed},
	{"length of four gigabytes", `37 ffffffff 00`, malformed},
	{"an attribute without value", `35 05 35 03 09 0004`, malformed},
	{"attribute number of one byte", `35 06 35 04 08 04 08 01`, malformed},
	{"protocols that are a number", `35 07 35 05 09 0004 08 01`, malformed},
	{"a choice between numbers", `35 09 35 07 09 0004 3d 02 08 01`, malformed},
	{"a protocol that is a number", `35 09 35 07 09 0004 35 02 08 01`, malformed},
	{"an empty protocol", `35 09 35 07 09 0004 35 02 35 00`, malformed},
	{"RFCOMM without channel", `35 0c 35 0a 09 0004 35 05 35 03 19 0003`, malformed},
	{"channel 0", `35 0e 35 0c 09 0004 35 07 35 05 19 0003 08 00`, malformed},
	{"channel 31", `35 0e 35 0c 09 0004 35 07 35 05 19 0003 08 1f`, malformed},
	{"channel that is a text", `35 0f 35 0d 09 0004 35 08 35 06 19 0003 25 01 31`, malformed},
}

func TestServiceChannel(t *testing.T) {
	for _, tt := range goldenLists {
		t.Run(tt.name, func(t *testing.T) {
			got, err := serviceChannel(unhex(t, tt.hex))
			want, wantErr := uint8(max(tt.want, 0)), error(nil)
			switch tt.want {
			case malformed:
				wantErr = errMalformed
			case noService:
				wantErr = ErrNoService
			}
			if got != want || !errors.Is(err, wantErr) {
				t.Errorf("got %d, %v, want %d, %v", got, err, want, wantErr)
			}
		})
	}
}

func FuzzServiceChannel(f *testing.F) {
	for _, tt := range goldenLists {
		f.Add(unhex(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, lists []byte) {
		channel, err := serviceChannel(lists)
		if (err == nil) != (channel >= minChannel && channel <= maxChannel) {
			t.Fatalf("channel %d with error %v", channel, err)
		}
	})
}

// The request that sdptool and others send, byte for byte, and one that goes on.
func TestAppendSearch(t *testing.T) {
	want := unhex(t, `06 0001 000f  35 03 19 1101  ffff  35 05 0a 0000ffff  00`)
	if got := appendSearch(nil, 1, 0x1101, nil); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	want = unhex(t, `06 0002 0011  35 03 19 1101  ffff  35 05 0a 0000ffff  02 abcd`)
	if got := appendSearch(nil, 2, 0x1101, []byte{0xab, 0xcd}); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

var goldenAnswers = []struct {
	name, hex           string
	lists, continuation string
	stale, ok           bool
}{
	{name: "whole", hex: `07 0001 0005 0002 3500 00`, lists: "3500", ok: true},
	{name: "part", hex: `07 0001 0007 0002 3500 02 abcd`, lists: "3500", continuation: "abcd", ok: true},
	{name: "longest continuation", hex: `07 0001 0015 0002 3500 10 000102030405060708090a0b0c0d0e0f`,
		lists: "3500", continuation: "000102030405060708090a0b0c0d0e0f", ok: true},
	{name: "of another transaction", hex: `07 0002 0005 0002 3500 00`, stale: true, ok: true},
	{name: "error", hex: `01 0001 0002 0003`},
	{name: "error cut off", hex: `01 0001 0001 00`},
	{name: "another kind", hex: `03 0001 0005 0002 3500 00`},
	{name: "nothing"},
	{name: "header cut off", hex: `07 0001 00`},
	{name: "longer than it says", hex: `07 0001 0004 0002 3500 00`},
	{name: "shorter than it says", hex: `07 0001 0006 0002 3500 00`},
	{name: "no count", hex: `07 0001 0001 00`},
	{name: "no continuation", hex: `07 0001 0004 0002 3500`},
	{name: "lists cut off", hex: `07 0001 0005 0004 3500 00`},
	{name: "continuation cut off", hex: `07 0001 0006 0002 3500 02 ab`},
	{name: "bytes after the continuation", hex: `07 0001 0006 0002 3500 00 ab`},
	{name: "continuation too long", hex: `07 0001 0016 0002 3500 11 000102030405060708090a0b0c0d0e0f10`},
}

func TestParseSearch(t *testing.T) {
	for _, tt := range goldenAnswers {
		t.Run(tt.name, func(t *testing.T) {
			lists, continuation, stale, err := parseSearch(unhex(t, tt.hex), 1)
			if (err == nil) != tt.ok || stale != tt.stale {
				t.Fatalf("got stale %v, error %v", stale, err)
			}
			if hex.EncodeToString(lists) != tt.lists || hex.EncodeToString(continuation) != tt.continuation {
				t.Errorf("got %x and %x, want %s and %s", lists, continuation, tt.lists, tt.continuation)
			}
		})
	}
}

func FuzzParseSearch(f *testing.F) {
	for _, tt := range goldenAnswers {
		f.Add(unhex(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		lists, continuation, stale, err := parseSearch(p, 1)
		if err != nil || stale {
			if lists != nil || continuation != nil {
				t.Fatalf("lists %x and %x beside stale %v, error %v", lists, continuation, stale, err)
			}
			return
		}
		// What parses makes the same answer again.
		back := []byte{sdpSearchResponse, 0, 1}
		back = binary.BigEndian.AppendUint16(back, uint16(3+len(lists)+len(continuation)))
		back = binary.BigEndian.AppendUint16(back, uint16(len(lists)))
		back = append(append(append(back, lists...), byte(len(continuation))), continuation...)
		if !bytes.Equal(back, p) {
			t.Fatalf("%x parsed and makes %x", p, back)
		}
	})
}

// An sdpServer answers service queries on the device's end of a socket, from its own idea of the format.
type sdpServer struct {
	lists   []byte
	part    int  // the most bytes of the lists in one answer
	stale   bool // sends an answer of another transaction before each
	endless bool // never comes to an end
	empty   bool // sends parts without bytes
}

// serve answers until the socket closes.
func (d sdpServer) serve(s *socket) error {
	ctx := context.Background()
	buf := make([]byte, 256)
	for {
		n, err := s.readMessage(ctx, buf)
		if err != nil || n == 0 {
			return err
		}
		request := buf[:n]
		// All but the transaction and the continuation is as in TestAppendSearch.
		if n < 20 || request[0] != 0x06 || int(request[19]) != n-20 {
			return errors.New("not a request that this server knows")
		}
		offset := 0
		if n > 20 {
			offset = int(binary.BigEndian.Uint16(request[20:]))
		}
		end := min(offset+d.part, len(d.lists))
		next := []byte{0}
		if end < len(d.lists) {
			next = []byte{2, byte(end >> 8), byte(end)}
		}
		part := d.lists[offset:end]
		if d.endless {
			next, part = []byte{2, 0, 0}, d.lists
		}
		if d.empty {
			next, part = []byte{2, 0, 0}, nil
		}
		answer := append([]byte{0x07}, request[1:3]...)
		answer = binary.BigEndian.AppendUint16(answer, uint16(2+len(part)+len(next)))
		answer = binary.BigEndian.AppendUint16(answer, uint16(len(part)))
		answer = append(append(answer, part...), next...)
		if d.stale {
			old := bytes.Clone(answer)
			old[2]--
			if err := s.writeMessage(ctx, old); err != nil {
				return err
			}
		}
		if err := s.writeMessage(ctx, answer); err != nil {
			return err
		}
	}
}

func TestFindChannel(t *testing.T) {
	tests := []struct {
		name   string
		device sdpServer
		want   uint8
		err    error // nil with want 0: any
	}{
		{name: "in one answer", device: sdpServer{lists: unhex(t, serialPort), part: 600}, want: 1},
		{name: "in many", device: sdpServer{lists: unhex(t, serialPort), part: 5}, want: 1},
		{name: "behind stale ones", device: sdpServer{lists: unhex(t, serialPort), part: 20, stale: true}, want: 1},
		{name: "no service", device: sdpServer{lists: []byte{0x35, 0}, part: 600}, err: ErrNoService},
		{name: "without end", device: sdpServer{lists: make([]byte, 4000), endless: true}},
		{name: "of empty parts", device: sdpServer{empty: true}},
		{name: "malformed", device: sdpServer{lists: []byte{8, 1}, part: 600}, err: errMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeHost(t)
			served := make(chan error, sdpAttempts)
			h.connect = func(fd int, sa unix.Sockaddr) error {
				l2, ok := sa.(*unix.SockaddrL2)
				if !ok || l2.PSM != 1 || l2.Addr != testMeter || h.levels[0] != SecurityLow {
					t.Errorf("connecting to %+v at security %v", sa, h.levels)
				}
				peer := testSocket(t, h.peers[len(h.peers)-1])
				go func() { served <- tt.device.serve(peer) }()
				return nil
			}
			got, err := h.findChannel(context.Background(), testMeter, 0x1101, &Config{})
			if got != tt.want || (err == nil) != (tt.want != 0) || tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("got %d, %v, want %d, %v", got, err, tt.want, tt.err)
			}
			for range h.fds {
				if err := <-served; err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
					t.Error(err)
				}
			}
		})
	}
}

// A query that fails is put once more, on a fresh socket, unless the failure is an answer.
func TestFindChannelAttempts(t *testing.T) {
	tests := []struct {
		name     string
		err      error
		want     error
		attempts int
	}{
		{"absent", unix.EHOSTDOWN, ErrAbsent, 1},
		{"refused", unix.ECONNREFUSED, ErrRefused, 1},
		{"adapter off", unix.EHOSTUNREACH, ErrAdapterDown, 1},
		{"reset", unix.ECONNRESET, unix.ECONNRESET, 2},
		{"closed without an answer", nil, nil, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeHost(t)
			attempts := 0
			h.connect = func(int, unix.Sockaddr) error {
				attempts++
				if tt.err == nil {
					unix.Close(h.peers[len(h.peers)-1])
				}
				return tt.err
			}
			_, err := h.findChannel(context.Background(), testMeter, 0x1101, &Config{})
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if attempts != tt.attempts {
				t.Errorf("%d attempts, want %d", attempts, tt.attempts)
			}
		})
	}
}
