package air

import (
	"bytes"
	"encoding/binary"
	"time"

	"powerspy2/bdaddr"
)

// Opcodes that the code names; the rest appear once, in a table.
const (
	opReset          = 0x0c03
	opReadPageTime   = 0x0c17
	opReadScanEnable = 0x0c19
	opReadClass      = 0x0c23
	opReadInqMode    = 0x0c44
	opHostCompleted  = 0x0c35
	opReadLocalName  = 0x0c14
	opReadSSPMode    = 0x0c55
	opReadPolicy     = 0x080e
)

// A reply is what a command gets: the parameters of its Command Complete
// event, or only a status, and what happens after that.
type reply struct {
	ret  []byte
	then func()
}

// A command is one entry of the table of what the controller understands.
type command struct {
	bit    uint16 // place in the supported commands: octet<<4 | bit
	status bool   // acknowledged by a Command Status event, not by Command Complete
	run    func(s *session, p *params) reply
}

func done(ret ...byte) reply { return reply{ret: append([]byte{byte(Success)}, ret...)} }

func failed(r Reason) reply { return reply{ret: []byte{byte(r)}} }

// accepted acknowledges a command whose result is an event made by f.
func accepted(f func()) reply { return reply{ret: []byte{byte(Success)}, then: f} }

// A setting is a value that a host reads with one command and writes with
// another. The default is also the value's length.
type setting struct {
	read, write       uint16
	readBit, writeBit uint16
	value             []byte
}

var settings = []setting{
	{opReadLocalName, 0x0c13, 0x071, 0x070, make([]byte, nameLength)},  // local name
	{0x0c15, 0x0c16, 0x072, 0x073, le16(nil, 0x1fa0)},                  // connection accept timeout
	{opReadPageTime, 0x0c18, 0x074, 0x075, le16(nil, 0x2000)},          // page timeout, slots: 5.12 s
	{opReadScanEnable, 0x0c1a, 0x076, 0x077, []byte{0}},                // inquiry and page scan
	{0x0c1b, 0x0c1c, 0x080, 0x081, []byte{0x00, 0x08, 0x12, 0x00}},     // page scan activity
	{0x0c1d, 0x0c1e, 0x082, 0x083, []byte{0x00, 0x10, 0x12, 0x00}},     // inquiry scan activity
	{0x0c1f, 0x0c20, 0x084, 0x085, []byte{0}},                          // authentication enable
	{opReadClass, 0x0c24, 0x090, 0x091, []byte{0, 0, 0}},               // class of device
	{0x0c25, 0x0c26, 0x092, 0x093, le16(nil, 0x0060)},                  // voice setting
	{0x0c42, 0x0c43, 0x0c4, 0x0c5, []byte{0}},                          // inquiry scan type
	{opReadInqMode, 0x0c45, 0x0c6, 0x0c7, []byte{0}},                   // inquiry mode
	{0x0c46, 0x0c47, 0x0d0, 0x0d1, []byte{0}},                          // page scan type
	{0x0c51, 0x0c52, 0x110, 0x111, make([]byte, 1+240)},                // extended inquiry response
	{opReadSSPMode, 0x0c56, 0x115, 0x116, []byte{0}},                   // simple pairing mode
	{opReadPolicy, 0x080f, 0x053, 0x054, le16(nil, 0)},                 // default link policy
	{0x0c39, 0x0c3a, 0x0b3, 0x0b4, le24([]byte{1}, generalInquiryLAP)}, // inquiry access codes
}

// commands is filled by init, because some entries refer to the table itself.
var commands map[uint16]command

func init() {
	commands = map[uint16]command{
		// Link control, section 7.1.
		0x0401: {0x000, true, (*session).startInquiry},
		0x0402: {0x001, false, func(s *session, _ *params) reply {
			if s.inquiry == nil {
				return failed(CommandDisallowed)
			}
			s.stopInquiry()
			return done()
		}},
		0x0405: {0x004, true, (*session).createConnection},
		0x0406: {0x005, true, (*session).disconnect},
		0x0408: {0x007, false, (*session).cancelConnection},
		0x0409: {0x010, true, (*session).acceptConnection},
		0x040a: {0x011, true, (*session).rejectConnection},
		0x040b: {0x012, false, (*session).linkKeyReply},
		0x040c: {0x013, false, (*session).linkKeyNegative},
		0x040d: {0x014, false, (*session).pinReply},
		0x040e: {0x015, false, (*session).pinNegative},
		0x040f: {0x016, true, (*session).changePacketType},
		0x0411: {0x017, true, (*session).requestAuthentication},
		0x0413: {0x020, true, (*session).setEncryption},
		0x0419: {0x023, true, (*session).remoteName},
		0x041a: {0x024, false, (*session).cancelRemoteName},
		0x041b: {0x025, true, (*session).remoteFeatures},
		0x041c: {0x026, true, (*session).remoteExtFeatures},
		0x041d: {0x027, true, (*session).remoteVersion},
		0x041f: {0x030, true, (*session).clockOffset},
		0x042b: {0x127, false, (*session).ioCapabilityReply},
		0x042c: {0x130, false, (*session).confirmationReply},
		0x042d: {0x131, false, (*session).confirmationNegative},
		0x0434: {0x143, false, (*session).ioCapabilityNegative},

		// Link policy, section 7.2.
		0x0803: {0x042, true, (*session).sniff},
		0x0804: {0x043, true, (*session).exitSniff},
		0x0807: {0x046, true, (*session).setupQoS},
		0x0809: {0x047, false, ofLink(func(l *link, _ *params) []byte { return []byte{l.role} })},
		0x080b: {0x050, true, (*session).switchRole},
		0x080c: {0x051, false, ofLink(func(l *link, _ *params) []byte { return le16(nil, l.policy) })},
		0x080d: {0x052, false, ofLink(func(l *link, p *params) []byte { l.policy = p.u16(); return nil })},
		0x0811: {0x114, false, ofLink(func(_ *link, p *params) []byte { p.bytes(6); return nil })},

		// Controller and baseband, section 7.3.
		0x0c01:  {0x056, false, func(_ *session, p *params) reply { p.bytes(8); return done() }}, // event mask
		opReset: {0x057, false, func(s *session, _ *params) reply { s.reset(); return done() }},
		0x0c05:  {0x060, false, func(_ *session, p *params) reply { p.u8(); return done() }}, // event filter
		0x0c08: {0x061, false, func(s *session, p *params) reply {
			l := s.link(p)
			if l == nil {
				return failed(UnknownConnection)
			}
			return reply{done(le16(nil, l.handle)...).ret, func() { s.event(evFlushOccurred, le16(nil, l.handle)) }}
		}},
		// The adapter stores no keys: its host does.
		0x0c0d: {0x065, false, func(_ *session, p *params) reply { p.bytes(7); return done(0, 0, 0, 0) }},
		0x0c12: {0x067, false, func(_ *session, p *params) reply { p.bytes(7); return done(0, 0) }},
		0x0c2d: {0x0a2, false, ofLink(func(_ *link, p *params) []byte { p.u8(); return []byte{4} })}, // dBm
		0x0c33: {0x0a6, false, func(_ *session, p *params) reply { p.bytes(7); return done() }},
		0x0c36: {0x0b0, false, ofLink(func(l *link, _ *params) []byte {
			return le16(nil, uint16(l.supervision.Microseconds()/slotMicroseconds))
		})},
		0x0c37: {0x0b1, false, ofLink(func(l *link, p *params) []byte { l.supervision = slots(p.u16()); return nil })},
		0x0c38: {0x0b2, false, func(*session, *params) reply { return done(1) }}, // access codes supported
		0x0c58: {0x120, false, func(*session, *params) reply { return done(0) }}, // inquiry response power, dBm
		0x0c59: {0x121, false, func(_ *session, p *params) reply { p.u8(); return done() }},

		// Informational parameters, section 7.4.
		0x1001: {0x0e3, false, func(*session, *params) reply { return done(localVersion...) }},
		0x1002: {0x0e4, false, func(*session, *params) reply { return done(supportedCommands()...) }},
		0x1003: {0x0e5, false, func(*session, *params) reply { return done(localFeatures...) }},
		0x1004: {0x0e6, false, func(s *session, p *params) reply {
			page, features := p.u8(), make([]byte, 8)
			switch page {
			case 0:
				features = localFeatures
			case 1:
				features[0] = s.setting(opReadSSPMode)[0] & 1 // simple pairing, by the host's order
			}
			return done(append([]byte{page, 1}, features...)...)
		}},
		0x1005: {0x0e7, false, func(*session, *params) reply { return done(bufferSizes...) }},
		0x1009: {0x0f1, false, func(s *session, _ *params) reply { return done(wireAddress(nil, s.c.cfg.Address)...) }},

		// Status parameters, section 7.5.
		0x1403: {0x0f4, false, ofLink(func(*link, *params) []byte { return []byte{255} })},
		0x1405: {0x0f5, false, ofLink(func(*link, *params) []byte { return []byte{0} })}, // within the golden range
		0x1408: {0x144, false, ofLink(func(*link, *params) []byte { return []byte{16} })},
	}
	for _, v := range settings {
		commands[v.read] = command{v.readBit, false, func(s *session, _ *params) reply { return done(s.setting(v.read)...) }}
		commands[v.write] = command{v.writeBit, false, func(s *session, p *params) reply {
			value := make([]byte, len(v.value))
			if v.read == opReadLocalName { // a name may be given without its padding
				copy(value, p.bytes(min(len(p.b), nameLength)))
			} else {
				copy(value, p.bytes(len(v.value)))
			}
			if !p.short {
				s.settings[v.read] = value
			}
			return done()
		}}
	}
}

// The adapter is a dongle of Bluetooth 2.1 + EDR: no low energy, but simple
// pairing and everything else that makes a present-day host talk to it as to
// any adapter. The figures are those of a CSR chip.
var (
	localVersion  = []byte{0x04, 0x73, 0x12, 0x04, 0x0a, 0x00, 0x73, 0x12}
	localFeatures = []byte{0xff, 0xff, 0x8f, 0xfe, 0x9b, 0xff, 0x59, 0x83}
	bufferSizes   = []byte{0x36, 0x01, 64, 10, 0, 8, 0} // ten ACL packets of 310 bytes
)

const slotMicroseconds = 625

// slots converts a time in slots, as HCI gives it.
func slots(n uint16) time.Duration { return time.Duration(n) * slotMicroseconds * time.Microsecond }

// supportedCommands makes the bit map of the table.
func supportedCommands() []byte {
	m := make([]byte, 64)
	for _, c := range commands {
		m[c.bit>>4] |= 1 << (c.bit & 0xf)
	}
	return m
}

// setting returns the value that the host has set, or the default.
func (s *session) setting(read uint16) []byte {
	if v, ok := s.settings[read]; ok {
		return v
	}
	for _, v := range settings {
		if v.read == read {
			return v.value
		}
	}
	return nil
}

// command runs one command and acknowledges it.
func (s *session) command(opcode uint16, parameters []byte) {
	if opcode == opHostCompleted { // answered by nothing but an error
		return
	}
	cmd, ok := commands[opcode]
	if !ok {
		if s.c.cfg.UnknownCommand != nil {
			s.c.cfg.UnknownCommand(opcode, parameters)
		}
		s.event(evCommandStatus, le16([]byte{byte(UnknownCommand), 1}, opcode))
		return
	}
	p := &params{b: bytes.Clone(parameters)}
	r := cmd.run(s, p)
	if p.short {
		r = failed(InvalidParameters)
	}
	if cmd.status {
		s.event(evCommandStatus, le16([]byte{r.ret[0], 1}, opcode))
	} else {
		s.event(evCommandComplete, append(le16([]byte{1}, opcode), r.ret...))
	}
	if r.then != nil {
		r.then()
	}
}

// ofLink makes a command that starts with a connection handle and is answered
// with status, handle and what f returns.
func ofLink(f func(*link, *params) []byte) func(*session, *params) reply {
	return func(s *session, p *params) reply {
		handle := p.handle()
		l := s.links[handle]
		if l == nil {
			return reply{ret: le16([]byte{byte(UnknownConnection)}, handle)}
		}
		return done(append(le16(nil, handle), f(l, p)...)...)
	}
}

// link reads a handle and returns its link, nil when there is none.
func (s *session) link(p *params) *link { return s.links[p.handle()] }

// ofAddress answers a command that names its connection by the device's address.
func ofAddress(r Reason, a bdaddr.Address) reply {
	return reply{ret: wireAddress([]byte{byte(r)}, a)}
}

func (s *session) pageTimeout() time.Duration {
	return slots(binary.LittleEndian.Uint16(s.setting(opReadPageTime)))
}
