package air

import (
	"bytes"
	"context"
	"io"
	"slices"
	"testing"
)

// nobody is the end of a serial port that takes everything and says nothing.
type nobody struct{ closed chan struct{} }

func (n nobody) Read([]byte) (int, error)    { <-n.closed; return 0, io.EOF }
func (n nobody) Write(p []byte) (int, error) { return len(p), nil }
func (n nobody) Close() error                { close(n.closed); return nil }

// fuzzSession returns a session without a host, and how to end it. Ending it
// waits for all that was started, and so finds what cannot end.
func fuzzSession(t *testing.T) (s *session, d *Device, end func()) {
	c := New(Config{})
	d, err := c.Add(DeviceConfig{Address: meterAddress, SecurityMode: 1,
		Dial: func(context.Context) (io.ReadWriteCloser, error) { return nobody{make(chan struct{})}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	s = newSession(c, ctx, cancel)
	c.session = s
	return s, d, func() {
		cancel(nil)
		s.end()
		s.work.Wait()
		s.c.mu.Lock()
		defer s.c.mu.Unlock()
		if len(s.links) != 0 || d.link != nil || len(s.timers) != 0 {
			t.Errorf("left at the end: links %v, timers %d", s.links, len(s.timers))
		}
	}
}

// do handles a packet as receive would, with the output thrown away.
func (s *session) do(p []byte) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.handle(p)
	s.out = nil
}

// FuzzHCI sends any stream of packets. Its seeds bring a link up.
func FuzzHCI(f *testing.F) {
	create := unhex(f, createConnection)
	for opcode := range commands {
		f.Add(append(create, append([]byte{packetCommand, byte(opcode), byte(opcode >> 8), 40}, make([]byte, 40)...)...))
	}
	f.Add(append(create, unhex(f, "02 0100 0a00 0600 0100 09 09 0200 6869 02 0110 0100 ff")...))
	f.Fuzz(func(t *testing.T, stream []byte) {
		s, d, end := fuzzSession(t)
		defer end()
		for {
			n, err := packetLength(stream)
			if err != nil || n == 0 || n > len(stream) {
				return
			}
			s.do(stream[:n])
			s.c.mu.Lock()
			if p := s.pages[d]; p != nil && d.link == nil { // no waiting for the page
				p.timer.stop()
				s.connect(d, roleMaster)
			}
			s.c.mu.Unlock()
			stream = stream[n:]
		}
	})
}

// FuzzL2CAP sends any packets on a link: for each a length byte, a channel
// byte, and the packet.
func FuzzL2CAP(f *testing.F) {
	packets := func(ps ...string) (b []byte) {
		for _, p := range ps {
			q := unhex(f, p)
			b = append(append(b, byte(len(q)-1)), q...)
		}
		return b
	}
	open := func(psm string) []string {
		return []string{"01 02 01 0400" + psm + "4000", "01 05 01 0600 4000 0000 0000", "01 04 02 0400 4000 0000"}
	}
	f.Add(packets(open("0100")...))
	f.Add(packets(append(open("0100"), "40 06 0001 000f 3503191101 ffff 35050a0000ffff 00")...))
	f.Add(packets(append(open("0300"), "40 03 3f 01 1c", "40 03 ef 15 83 11 02 f0 00 00 9b02 00 07 70",
		"40 0b 3f 01 59", "40 03 ef 09 e3 05 0b 8d 70", "40 0b ef 03 61 9a", "40 0b 53 01 b8", "40 03 53 01 fd")...))
	f.Add(packets("01 0a 06 0200 0200", "01 06 0d 0400 4500 4000", "01 08 09 0900 61"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, d, end := fuzzSession(t)
		defer end()
		s.c.mu.Lock()
		s.pages[d] = &page{}
		s.connect(d, roleMaster)
		handle := d.link.handle
		s.c.mu.Unlock()
		for len(b) >= 2 {
			n := min(int(b[0]), len(b)-2)
			payload := append(le16(le16(nil, uint16(n)), uint16(b[1])), b[2:2+n]...)
			s.do(aclPacket(handle, payload))
			b = b[2+n:]
		}
	})
}

// FuzzRFCOMM requires that what can be read as a frame is written as the same bytes.
func FuzzRFCOMM(f *testing.F) {
	for _, s := range []string{"033f011c", "0b3f0159", "09ef0568695c", "09ff01085c", "03ef1583110200f000009b02000770"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		fr, ok := parseFrame(p)
		if !ok {
			return
		}
		q := appendFrame(fr, false)
		if fr.kind == frameUIH && fr.poll || len(fr.data) < 128 && p[2]&1 == 0 {
			return // credits count as data here; a long length may hold a short one
		}
		if !bytes.Equal(p, q) {
			t.Errorf("%x read as %+v and written as %x", p, fr, q)
		}
	})
}

// FuzzSDP requires a well-formed answer that fits to any request.
func FuzzSDP(f *testing.F) {
	f.Add(unhex(f, "06 0001 000f 3503191101 ffff 35050a0000ffff 00"), 48)
	f.Add(unhex(f, "02 0001 0008 3503191101 0001 00"), 672)
	f.Add(unhex(f, "04 0008 000e 00010001 ffff 35050a0000ffff 00"), 100)
	f.Fuzz(func(t *testing.T, p []byte, mtu int) {
		if mtu < minMTU || mtu > 0xffff {
			return
		}
		request := slices.Clone(p)
		a := newSDPDevice().sdp(p, mtu)
		if len(a) < 5 || len(a) > mtu || len(a) != 5+int(a[3])<<8+int(a[4]) {
			t.Errorf("answer %x to %x", a, request)
		}
	})
}
