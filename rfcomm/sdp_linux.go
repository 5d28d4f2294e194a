package rfcomm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The parts of the Service Discovery Protocol that a search for one service needs (Core Specification, volume 3, part B,
// sections 3, 4.2 and 4.7; numbers from Assigned Numbers).
const (
	sdpErrorResponse  = 0x01
	sdpSearchRequest  = 0x06 // SDP_SERVICE_SEARCH_ATTR_REQ
	sdpSearchResponse = 0x07 // SDP_SERVICE_SEARCH_ATTR_RSP
	sdpHeader         = 5    // identifier, transaction, length of the parameters

	attributeProtocols = 0x0004 // ProtocolDescriptorList
	uuidRFCOMM         = 0x0003

	maxSDPPacket       = 4096    // more than any device sends: the L2CAP default is 672
	maxSDPLists        = 1 << 16 // all parts of an answer together
	maxSDPContinuation = 16
)

// The types of data elements, the upper five bits of their first byte (section 3.2).
const (
	typeUint        = 1
	typeUUID        = 3
	typeSequence    = 6
	typeAlternative = 7
)

// errMalformed is what the parser says of bytes that are not what they should be.
var errMalformed = errors.New("malformed service record")

// baseUUID follows the first four bytes of a UUID of Bluetooth's own written in full.
const baseUUID = "\x00\x00\x10\x00\x80\x00\x00\x80\x5f\x9b\x34\xfb"

// appendSearch appends a request for all attributes of all records of a service class, going on where continuation says.
func appendSearch(b []byte, transaction, uuid uint16, continuation []byte) []byte {
	b = append(b, sdpSearchRequest)
	b = binary.BigEndian.AppendUint16(b, transaction)
	b = binary.BigEndian.AppendUint16(b, uint16(15+len(continuation)))
	b = append(b, 0x35, 0x03, 0x19) // a sequence of one UUID
	b = binary.BigEndian.AppendUint16(b, uuid)
	b = append(b, 0xff, 0xff)                               // bytes wanted in one part of the answer: any number
	b = append(b, 0x35, 0x05, 0x0a, 0x00, 0x00, 0xff, 0xff) // a sequence of one range of attributes: all
	b = append(b, byte(len(continuation)))
	return append(b, continuation...)
}

// parseSearch takes the answer apart into the part of the attribute lists that it holds and its continuation state, empty
// in the last. stale means that it answers another transaction.
func parseSearch(p []byte, transaction uint16) (lists, continuation []byte, stale bool, err error) {
	if len(p) < sdpHeader || int(binary.BigEndian.Uint16(p[3:])) != len(p)-sdpHeader {
		return nil, nil, false, fmt.Errorf("%w: bad length of an answer", errMalformed)
	}
	if binary.BigEndian.Uint16(p[1:]) != transaction {
		return nil, nil, true, nil
	}
	params := p[sdpHeader:]
	switch {
	case p[0] == sdpErrorResponse && len(params) >= 2:
		return nil, nil, false, fmt.Errorf("device refused the service query with error 0x%04x", binary.BigEndian.Uint16(params))
	case p[0] != sdpSearchResponse:
		return nil, nil, false, fmt.Errorf("%w: unexpected answer 0x%02x", errMalformed, p[0])
	case len(params) < 2:
		return nil, nil, false, fmt.Errorf("%w: answer too short", errMalformed)
	}
	count, rest := int(binary.BigEndian.Uint16(params)), params[2:]
	if len(rest) < count+1 {
		return nil, nil, false, fmt.Errorf("%w: answer too short", errMalformed)
	}
	lists, rest = rest[:count], rest[count:]
	if n := int(rest[0]); n > maxSDPContinuation || len(rest)-1 != n {
		return nil, nil, false, fmt.Errorf("%w: bad continuation", errMalformed)
	}
	return lists, rest[1:], false, nil
}

// serviceChannel finds the first RFCOMM channel in the attribute lists of an answer: a sequence of one sequence a record,
// of attribute numbers each followed by its value. ErrNoService means that there is none.
func serviceChannel(lists []byte) (uint8, error) {
	all, rest, err := nextElement(lists)
	if err != nil {
		return 0, err
	}
	if all.kind != typeSequence || len(rest) != 0 {
		return 0, errMalformed
	}
	for records := all.data; len(records) > 0; {
		var record element
		if record, records, err = nextElement(records); err != nil {
			return 0, err
		}
		if record.kind != typeSequence {
			return 0, errMalformed
		}
		channel, err := recordChannel(record.data)
		if err != nil || channel != 0 {
			return channel, err
		}
	}
	return 0, ErrNoService
}

// recordChannel finds the RFCOMM channel in the attributes of one record, 0 when there is none.
func recordChannel(attributes []byte) (uint8, error) {
	for len(attributes) > 0 {
		var id, value element
		var err error
		if id, attributes, err = nextElement(attributes); err != nil {
			return 0, err
		}
		if value, attributes, err = nextElement(attributes); err != nil {
			return 0, err
		}
		number, ok := id.number()
		if !ok || len(id.data) != 2 {
			return 0, errMalformed
		}
		if number != attributeProtocols {
			continue
		}
		if value.kind == typeSequence {
			return stackChannel(value.data)
		}
		if value.kind != typeAlternative {
			return 0, errMalformed
		}
		// Several stacks of protocols to choose from.
		for stacks := value.data; len(stacks) > 0; {
			var stack element
			if stack, stacks, err = nextElement(stacks); err != nil {
				return 0, err
			}
			if stack.kind != typeSequence {
				return 0, errMalformed
			}
			if channel, err := stackChannel(stack.data); err != nil || channel != 0 {
				return channel, err
			}
		}
		return 0, nil
	}
	return 0, nil
}

// stackChannel finds the channel in a stack of protocols, each a sequence of its UUID and its parameters; 0 when RFCOMM is
// not among them.
func stackChannel(protocols []byte) (uint8, error) {
	for len(protocols) > 0 {
		var protocol element
		var err error
		if protocol, protocols, err = nextElement(protocols); err != nil {
			return 0, err
		}
		if protocol.kind != typeSequence {
			return 0, errMalformed
		}
		id, parameters, err := nextElement(protocol.data)
		if err != nil {
			return 0, err
		}
		if !id.isUUID(uuidRFCOMM) {
			continue
		}
		channel, _, err := nextElement(parameters)
		if err != nil {
			return 0, err
		}
		number, ok := channel.number()
		if !ok || number < minChannel || number > maxChannel {
			return 0, fmt.Errorf("%w: RFCOMM channel out of range", errMalformed)
		}
		return uint8(number), nil
	}
	return 0, nil
}

// An element is a data element: its type and its bytes without the header (section 3.1).
type element struct {
	kind byte
	data []byte
}

// nextElement splits the first data element off b.
func nextElement(b []byte) (e element, rest []byte, err error) {
	if len(b) == 0 {
		return element{}, nil, errMalformed
	}
	e.kind = b[0] >> 3
	size, rest := uint64(0), b[1:]
	switch index := b[0] & 7; {
	case index < 5:
		// The type nil, 0, has no bytes where the others have one.
		if e.kind != 0 {
			size = 1 << index
		}
	default:
		width := 1 << (index - 5)
		if len(rest) < width {
			return element{}, nil, errMalformed
		}
		for _, c := range rest[:width] {
			size = size<<8 | uint64(c)
		}
		rest = rest[width:]
	}
	if size > uint64(len(rest)) {
		return element{}, nil, errMalformed
	}
	e.data = rest[:size]
	return e, rest[size:], nil
}

// number gives the value of an unsigned integer of up to eight bytes.
func (e element) number() (uint64, bool) {
	if e.kind != typeUint || len(e.data) > 8 {
		return 0, false
	}
	var n uint64
	for _, c := range e.data {
		n = n<<8 | uint64(c)
	}
	return n, true
}

// isUUID reports whether e is the UUID with the given short form, written in 2, 4 or 16 bytes.
func (e element) isUUID(short uint16) bool {
	if e.kind != typeUUID {
		return false
	}
	data := e.data
	switch len(data) {
	case 2:
		return binary.BigEndian.Uint16(data) == short
	case 4:
	case 16:
		if string(data[4:]) != baseUUID {
			return false
		}
	default:
		return false
	}
	return binary.BigEndian.Uint32(data) == uint32(short)
}
