package air

import "encoding/binary"

// RFCOMM (Bluetooth RFCOMM with TS 07.10): frame types with the poll/final bit
// where it always is set, and types of multiplexer commands.
const (
	frameSABM = 0x3f
	frameUA   = 0x73
	frameDM   = 0x1f
	frameDISC = 0x53
	frameUIH  = 0xef
	pollFinal = 0x10

	muxPN    = 0x20
	muxTest  = 0x08
	muxFCon  = 0x28
	muxFCoff = 0x18
	muxMSC   = 0x38
	muxNSC   = 0x04
	muxRPN   = 0x24
	muxRLS   = 0x14

	// V.24 signals of an MSC command.
	signalEA = 0x01
	signalFC = 0x02
	signalsV = signalEA | 0x04 | 0x08 | 0x80 // ready to communicate, to receive, data valid

	pnCreditsAsked   = 0xf0
	pnCreditsGranted = 0xe0

	frameOverhead   = 6   // address, control, two of length, credits, FCS
	defaultFrame    = 127 // TS 07.10, when no PN command came
	startCredits    = 7   // as many as a PN command can carry
	plainQueueLimit = 16 << 10
)

// fcsTable is the CRC of TS 07.10 section 5.2.1.6: x^8 + x^2 + x + 1, reflected.
var fcsTable = func() (t [256]byte) {
	const reflected = 0xe0
	for i := range t {
		v := byte(i)
		for range 8 {
			if v&1 != 0 {
				v = v>>1 ^ reflected
			} else {
				v >>= 1
			}
		}
		t[i] = v
	}
	return t
}()

// fcs is the frame check sequence of the octets it covers: address and control
// for UIH, length too for all others.
func fcs(b []byte) byte {
	crc := byte(0xff)
	for _, v := range b {
		crc = fcsTable[crc^v]
	}
	return 0xff - crc
}

// A frame is one RFCOMM frame.
type frame struct {
	dlci     byte
	response bool // the C/R bit
	kind     byte // without the poll/final bit
	poll     bool
	credits  byte // of a UIH frame with poll set, on a channel with credits
	data     []byte
}

// parseFrame takes a frame apart. Credits, which only the state of the channel
// tells, are left at the start of data.
func parseFrame(p []byte) (f frame, ok bool) {
	if len(p) < 4 || p[0]&1 == 0 {
		return f, false
	}
	f = frame{dlci: p[0] >> 2, response: p[0]&2 != 0, kind: p[1] &^ pollFinal, poll: p[1]&pollFinal != 0}
	n, head := int(p[2]>>1), 3
	if p[2]&1 == 0 {
		n, head = n|int(p[3])<<7, 4
	}
	rest := p[head:]
	covered := p[:head]
	if f.kind == frameUIH {
		covered = p[:2]
	}
	// A credit octet is not counted in the length.
	extra := len(rest) - 1 - n
	if extra < 0 || extra > 1 || extra == 1 && !(f.kind == frameUIH && f.poll) {
		return f, false
	}
	if rest[len(rest)-1] != fcs(covered) {
		return f, false
	}
	f.data = rest[:len(rest)-1]
	return f, true
}

// appendFrame makes a frame; withCredits says that f.credits is part of it.
func appendFrame(f frame, withCredits bool) []byte {
	b := []byte{f.dlci<<2 | b2u(f.response)<<1 | 1, f.kind | b2u(f.poll)*pollFinal}
	if n := len(f.data); n < 128 {
		b = append(b, byte(n<<1|1))
	} else {
		b = append(b, byte(n<<1), byte(n>>7))
	}
	check := fcs(b)
	if f.kind == frameUIH {
		check = fcs(b[:2])
	}
	if withCredits {
		b = append(b, f.credits)
	}
	return append(append(b, f.data...), check)
}

// A mux is the RFCOMM multiplexer of a link. The host is its initiator, so
// the device's commands carry C/R 0 and its responses C/R 1.
type mux struct {
	ch    *channel
	up    bool
	dlcs  map[byte]*dlc
	offer map[byte]parameters // agreed by PN before the channel was opened
	stop  bool                // FCoff: the host takes no data on any channel
}

// parameters are what a PN command settles.
type parameters struct {
	credits bool
	first   int // credits that the host grants at the start
	size    int // of a frame's information
}

func (l *link) newMux(ch *channel) {
	m := &mux{ch: ch, dlcs: make(map[byte]*dlc), offer: make(map[byte]parameters)}
	l.mux = m
	ch.receive = m.receive
	ch.onClose = func() {
		m.closeAll()
		l.mux = nil
	}
}

func (m *mux) device() *Device { return m.ch.l.d }

func (m *mux) closeAll() {
	for _, d := range m.dlcs {
		d.remove()
	}
	m.up = false
}

// maxInfo is the most information that a frame may carry on this L2CAP channel.
func (m *mux) maxInfo() int { return min(m.ch.mtu, m.device().cfg.MTU) - frameOverhead }

func (m *mux) sendControl(kind, dlci byte, response bool) {
	m.ch.send(appendFrame(frame{dlci: dlci, response: response, kind: kind &^ pollFinal, poll: true}, false))
}

// receive takes one frame; a damaged one is dropped without a word.
func (m *mux) receive(p []byte) {
	f, ok := parseFrame(p)
	if !ok {
		return
	}
	d := m.dlcs[f.dlci]
	switch f.kind {
	case frameSABM &^ pollFinal:
		m.open(f)
	case frameDISC &^ pollFinal:
		switch {
		case f.dlci == 0 && m.up:
			m.closeAll()
			m.sendControl(frameUA, 0, true)
		case d != nil:
			d.remove()
			m.sendControl(frameUA, f.dlci, true)
		default:
			m.sendControl(frameDM, f.dlci, true)
		}
	case frameUA &^ pollFinal, frameDM &^ pollFinal:
		if d != nil && (d.closing || f.kind == frameDM&^pollFinal) {
			d.remove()
		}
	case frameUIH:
		switch {
		case f.dlci == 0 && m.up:
			m.command(f.data)
		case f.dlci != 0 && d != nil:
			d.receive(f)
		case f.dlci != 0:
			m.sendControl(frameDM, f.dlci, true)
		}
	}
}

// open answers SABM: the multiplexer itself, the serial port, or nobody there.
func (m *mux) open(f frame) {
	switch {
	case f.dlci == 0:
		m.up = true
		m.sendControl(frameUA, 0, true)
	case !m.up || f.dlci != m.device().cfg.Channel<<1 || m.dlcs[f.dlci] != nil:
		m.sendControl(frameDM, f.dlci, true)
	default:
		p, ok := m.offer[f.dlci]
		if !ok {
			p = parameters{size: min(defaultFrame, m.maxInfo())}
		}
		delete(m.offer, f.dlci)
		m.newDLC(f.dlci, p)
	}
}

// reply sends a multiplexer command (response false) or the answer to one.
func (m *mux) reply(kind byte, response bool, value ...byte) {
	b := append([]byte{kind<<2 | b2u(!response)<<1 | 1, byte(len(value))<<1 | 1}, value...)
	m.ch.send(appendFrame(frame{kind: frameUIH, data: b}, false))
}

// command takes the multiplexer command or answer in a UIH frame on channel 0.
func (m *mux) command(b []byte) {
	if len(b) < 2 || b[1]&1 == 0 || int(b[1]>>1) != len(b)-2 {
		return
	}
	kind, isCommand, value := b[0]>>2, b[0]&2 != 0, b[2:]
	if !isCommand {
		return // answers to MSC, which carry nothing
	}
	switch {
	case kind == muxPN && len(value) == 8:
		m.negotiate(value)
	case kind == muxTest:
		m.reply(muxTest, true, value...)
	case kind == muxFCon, kind == muxFCoff:
		m.stop = kind == muxFCoff
		m.reply(kind, true)
		m.wake()
	case kind == muxMSC && len(value) >= 2:
		m.reply(muxMSC, true, value...)
		if d := m.dlcs[value[0]>>2]; d != nil {
			d.signals(value[1])
		}
	case kind == muxRPN && len(value) == 1: // asks for the port's parameters: 9600 8N1
		m.reply(muxRPN, true, value[0], 0x03, 0x03, 0x00, 0x11, 0x13, 0xff, 0x3f)
	case kind == muxRPN && len(value) == 8: // a serial port in name only takes any
		m.reply(muxRPN, true, value...)
	case kind == muxRLS && len(value) == 2:
		m.reply(muxRLS, true, value...)
	default:
		m.reply(muxNSC, true, b[0])
	}
}

// negotiate answers PN: credits when the host offers them, and the smaller frame.
func (m *mux) negotiate(v []byte) {
	dlci := v[0] & 0x3f
	if m.dlcs[dlci] != nil || dlci == 0 {
		m.reply(muxPN, true, v...) // too late to change anything
		return
	}
	p := parameters{
		credits: v[1]&0xf0 == pnCreditsAsked,
		first:   int(v[7] & 7),
		size:    min(int(binary.LittleEndian.Uint16(v[4:])), m.device().cfg.FrameSize, m.maxInfo()),
	}
	if p.size < 1 {
		m.sendControl(frameDM, dlci, true)
		return
	}
	m.offer[dlci] = p
	a := []byte{dlci, 0, v[2], 0}
	a = append(le16(a, uint16(p.size)), 0, 0)
	if p.credits {
		a[1], a[7] = pnCreditsGranted, startCredits
	}
	m.reply(muxPN, true, a...)
}

// wake lets the channels look again whether they may send.
func (m *mux) wake() {
	for _, d := range m.dlcs {
		d.changed.Broadcast()
	}
}

// openDLC returns the serial port's channel, nil when it is closed.
func (m *mux) openDLC() *dlc {
	for _, d := range m.dlcs {
		if d.open {
			return d
		}
	}
	return nil
}
