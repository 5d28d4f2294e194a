package air

import (
	"encoding/binary"
	"errors"
	"fmt"

	"powerspy2/bdaddr"
)

// Packet types of the H4 transport (Core volume 4, part A, section 2), the
// first byte of every packet on /dev/vhci.
const (
	packetCommand = 0x01
	packetACL     = 0x02
	packetSCO     = 0x03
	packetEvent   = 0x04
	packetISO     = 0x05
)

// Events (Core volume 4, part E, section 7.7).
const (
	evInquiryComplete       = 0x01
	evInquiryResult         = 0x02
	evConnectionComplete    = 0x03
	evConnectionRequest     = 0x04
	evDisconnectionComplete = 0x05
	evAuthComplete          = 0x06
	evRemoteName            = 0x07
	evEncryptionChange      = 0x08
	evRemoteFeatures        = 0x0b
	evRemoteVersion         = 0x0c
	evQoSSetup              = 0x0d
	evCommandComplete       = 0x0e
	evCommandStatus         = 0x0f
	evFlushOccurred         = 0x11
	evRoleChange            = 0x12
	evCompletedPackets      = 0x13
	evModeChange            = 0x14
	evPINRequest            = 0x16
	evLinkKeyRequest        = 0x17
	evLinkKeyNotification   = 0x18
	evClockOffset           = 0x1c
	evPacketTypeChanged     = 0x1d
	evInquiryResultRSSI     = 0x22
	evRemoteExtFeatures     = 0x23
	evIOCapabilityRequest   = 0x31
	evIOCapabilityResponse  = 0x32
	evConfirmationRequest   = 0x33
	evSimplePairingComplete = 0x36
)

// Reason is an HCI error code (Core volume 1, part F): the status of a
// procedure or the reason of a disconnection.
type Reason uint8

// The reasons a device or its controller gives in this package.
const (
	Success            Reason = 0x00
	UnknownCommand     Reason = 0x01
	UnknownConnection  Reason = 0x02
	PageTimeout        Reason = 0x04
	AuthFailure        Reason = 0x05
	KeyMissing         Reason = 0x06
	ConnectionTimeout  Reason = 0x08
	ConnectionExists   Reason = 0x0b
	CommandDisallowed  Reason = 0x0c
	LimitedResources   Reason = 0x0d
	InvalidParameters  Reason = 0x12
	RemoteUserEnded    Reason = 0x13
	RemotePowerOff     Reason = 0x15
	LocalHostEnded     Reason = 0x16
	LMPResponseTimeout Reason = 0x22
	unsupportedFeature Reason = 0x11
	PairingNotAllowed  Reason = 0x18
	acceptTimeout      Reason = 0x10
)

// Values of fields in commands and events.
const (
	linkTypeACL        = 0x01
	keyTypeCombination = 0x00
	keyTypeSimple      = 0x04 // of Secure Simple Pairing without a number to compare
	noInputNoOutput    = 0x03
	dedicatedBonding   = 0x02     // without protection against a man in the middle
	generalInquiryLAP  = 0x9e8b33 // Core volume 4, part E, section 7.1.1; Assigned Numbers
	maxInquiryUnits    = 0x30
	maxPIN             = 16  // bytes
	nameLength         = 248 // bytes
	scanPage           = 0x02
	maxHandle          = 0x0eff
)

// Packet boundary flags of ACL data (Core volume 4, part E, section 5.4.2).
const (
	firstNonFlushable = 0x00
	continuation      = 0x01
	firstFlushable    = 0x02
)

var reasonNames = map[Reason]string{
	Success:            "success",
	UnknownCommand:     "unknown command",
	UnknownConnection:  "unknown connection",
	PageTimeout:        "page timeout",
	AuthFailure:        "authentication failure",
	KeyMissing:         "PIN or key missing",
	ConnectionTimeout:  "connection timeout",
	ConnectionExists:   "connection already exists",
	CommandDisallowed:  "command disallowed",
	LimitedResources:   "rejected, limited resources",
	InvalidParameters:  "invalid parameters",
	RemoteUserEnded:    "ended by the remote user",
	RemotePowerOff:     "remote power off",
	LocalHostEnded:     "ended by the local host",
	LMPResponseTimeout: "no LMP response",
	unsupportedFeature: "unsupported feature",
	PairingNotAllowed:  "pairing not allowed",
	acceptTimeout:      "connection accept timeout",
}

// String returns the specification's meaning of r, or its number.
func (r Reason) String() string {
	if s, ok := reasonNames[r]; ok {
		return s
	}
	return fmt.Sprintf("reason 0x%02x", uint8(r))
}

// errPacketType says that a stream does not carry H4: what follows an unknown
// type byte has no known length.
var errPacketType = errors.New("unknown packet type")

// packetLength returns the length of the H4 packet at the start of b, 0 while
// too little of it is there to tell.
func packetLength(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	switch b[0] {
	case packetCommand, packetSCO:
		if len(b) >= 4 {
			return 4 + int(b[3]), nil
		}
	case packetACL:
		if len(b) >= 5 {
			return 5 + int(binary.LittleEndian.Uint16(b[3:])), nil
		}
	case packetISO:
		if len(b) >= 5 {
			return 5 + int(binary.LittleEndian.Uint16(b[3:])&0x3fff), nil
		}
	case packetEvent:
		if len(b) >= 3 {
			return 3 + int(b[2]), nil
		}
	default:
		return 0, fmt.Errorf("%w 0x%02x", errPacketType, b[0])
	}
	return 0, nil
}

// eventPacket makes an event of a code and its parameters.
func eventPacket(code byte, params []byte) []byte {
	return append([]byte{packetEvent, code, byte(len(params))}, params...)
}

// aclPacket makes an ACL data packet that starts an L2CAP packet and holds all of it.
func aclPacket(handle uint16, payload []byte) []byte {
	p := []byte{packetACL}
	p = le16(p, handle|firstFlushable<<12)
	p = le16(p, uint16(len(payload)))
	return append(p, payload...)
}

func le16(b []byte, v uint16) []byte { return binary.LittleEndian.AppendUint16(b, v) }

func le24(b []byte, v uint32) []byte { return append(b, byte(v), byte(v>>8), byte(v>>16)) }

// wireAddress appends a in the order of the wire, which is the reverse of the
// printed one.
func wireAddress(b []byte, a bdaddr.Address) []byte {
	for i := len(a) - 1; i >= 0; i-- {
		b = append(b, a[i])
	}
	return b
}

// params reads the parameters of a command or PDU from the front. A read
// beyond the end yields zeros and sets short, which the caller checks once.
type params struct {
	b     []byte
	short bool
}

func (p *params) bytes(n int) []byte {
	if len(p.b) < n {
		p.short = true
		p.b = nil
		return make([]byte, n)
	}
	v := p.b[:n:n]
	p.b = p.b[n:]
	return v
}

func (p *params) u8() uint8 { return p.bytes(1)[0] }

func (p *params) u16() uint16 { return binary.LittleEndian.Uint16(p.bytes(2)) }

func (p *params) u24() uint32 {
	b := p.bytes(3)
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
}

func (p *params) address() bdaddr.Address {
	var a bdaddr.Address
	for i, v := range p.bytes(len(a)) {
		a[len(a)-1-i] = v
	}
	return a
}

// handle reads a connection handle; its upper four bits are flags or reserved.
func (p *params) handle() uint16 { return p.u16() & 0x0fff }
