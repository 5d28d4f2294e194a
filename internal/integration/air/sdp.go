package air

import (
	"bytes"
	"encoding/binary"
)

// SDP (Core volume 3, part B): the one record of the device and its answers.
const (
	sdpErrorRsp       = 0x01
	sdpSearchReq      = 0x02
	sdpAttributeReq   = 0x04
	sdpSearchAttrReq  = 0x06
	sdpBadHandle      = 0x0002
	sdpBadSyntax      = 0x0003
	sdpBadSize        = 0x0004
	sdpBadContinue    = 0x0005
	recordHandle      = 0x00010001
	continuationBytes = 2

	uuidRFCOMM     = 0x0003
	uuidL2CAP      = 0x0100
	uuidBrowseRoot = 0x1002
	uuidSerialPort = 0x1101
)

// Data elements: the type and size descriptors in use.
const (
	elemUint8  = 0x08
	elemUint16 = 0x09
	elemUint32 = 0x0a
	elemUUID16 = 0x19
	elemString = 0x25
)

// baseUUID is what a 16- or 32-bit UUID abbreviates.
var baseUUID = [16]byte{4: 0x00, 5: 0x00, 6: 0x10, 7: 0x00, 8: 0x80, 9: 0x00, 10: 0x00, 11: 0x80, 12: 0x5f, 13: 0x9b, 14: 0x34, 15: 0xfb}

func longUUID(short uint32) [16]byte {
	u := baseUUID
	binary.BigEndian.PutUint32(u[:], short)
	return u
}

type attribute struct {
	id    uint16
	value []byte // a data element
}

func elem16(kind byte, v uint16) []byte { return binary.BigEndian.AppendUint16([]byte{kind}, v) }

func elemSeq(elems ...[]byte) []byte { return sequence(bytes.Join(elems, nil)) }

// sequence wraps data elements in the shortest sequence that holds them.
func sequence(body []byte) []byte {
	if len(body) <= 0xff {
		return append([]byte{0x35, byte(len(body))}, body...)
	}
	return append(binary.BigEndian.AppendUint16([]byte{0x36}, uint16(len(body))), body...)
}

// record is the serial port as the device describes it, by rising attribute.
func (d *Device) record() []attribute {
	name := "SPP"
	return []attribute{
		{0x0000, binary.BigEndian.AppendUint32([]byte{elemUint32}, recordHandle)},
		{0x0001, elemSeq(elem16(elemUUID16, uuidSerialPort))},
		{0x0004, elemSeq(
			elemSeq(elem16(elemUUID16, uuidL2CAP)),
			elemSeq(elem16(elemUUID16, uuidRFCOMM), []byte{elemUint8, d.cfg.Channel}))},
		{0x0005, elemSeq(elem16(elemUUID16, uuidBrowseRoot))},
		{0x0006, elemSeq(elem16(elemUint16, 0x656e), elem16(elemUint16, 0x006a), elem16(elemUint16, 0x0100))},
		{0x0009, elemSeq(elemSeq(elem16(elemUUID16, uuidSerialPort), elem16(elemUint16, 0x0100)))},
		{0x0100, append([]byte{elemString, byte(len(name))}, name...)},
	}
}

// recordUUIDs are what a search can find the record by.
var recordUUIDs = [][16]byte{
	longUUID(uuidSerialPort), longUUID(uuidL2CAP), longUUID(uuidRFCOMM), longUUID(uuidBrowseRoot),
}

// sdpReader reads the parameters of a request, all big-endian.
type sdpReader struct{ params }

func (r *sdpReader) be16() uint16 { return binary.BigEndian.Uint16(r.bytes(2)) }

func (r *sdpReader) be32() uint32 { return binary.BigEndian.Uint32(r.bytes(4)) }

// sequence reads a sequence's body.
func (r *sdpReader) sequence() sdpReader {
	n := 0
	switch r.u8() {
	case 0x35:
		n = int(r.u8())
	case 0x36:
		n = int(r.be16())
	case 0x37:
		n = int(min(r.be32(), 1<<16))
	default:
		r.short = true
	}
	if n > len(r.b) {
		r.short = true
		return sdpReader{}
	}
	return sdpReader{params{b: r.bytes(n)}}
}

// pattern reads a service search pattern and reports whether the record has every UUID in it.
func (r *sdpReader) pattern() bool {
	seq, found := r.sequence(), true
	for len(seq.b) > 0 {
		var u [16]byte
		switch seq.u8() {
		case elemUUID16:
			u = longUUID(uint32(seq.be16()))
		case 0x1a:
			u = longUUID(seq.be32())
		case 0x1c:
			copy(u[:], seq.bytes(len(u)))
		default:
			seq.short = true
		}
		if seq.short {
			r.short = true
			return false
		}
		has := false
		for _, v := range recordUUIDs {
			has = has || v == u
		}
		found = found && has
	}
	return found
}

// attributes reads an attribute list and returns what the record has of it, as a sequence.
func (r *sdpReader) attributes(d *Device) []byte {
	type span struct{ from, to uint16 }
	var wanted []span
	seq := r.sequence()
	for len(seq.b) > 0 && !seq.short {
		switch seq.u8() {
		case elemUint16:
			id := seq.be16()
			wanted = append(wanted, span{id, id})
		case elemUint32:
			wanted = append(wanted, span{seq.be16(), seq.be16()})
		default:
			seq.short = true
		}
	}
	r.short = r.short || seq.short
	var body []byte
	for _, a := range d.record() {
		for _, w := range wanted {
			if w.from <= a.id && a.id <= w.to {
				body = append(append(body, elem16(elemUint16, a.id)...), a.value...)
				break
			}
		}
	}
	return sequence(body)
}

// continuation reads a continuation state: the offset at which to go on.
func (r *sdpReader) continuation() (offset int, ok bool) {
	n := int(r.u8())
	switch {
	case r.short || n != 0 && n != continuationBytes || n != len(r.b):
		return 0, false
	case n == 0:
		return 0, true
	}
	return int(r.be16()), true
}

// sdp answers one request in at most mtu bytes.
func (d *Device) sdp(p []byte, mtu int) []byte {
	r := &sdpReader{params{b: p}}
	code, id, n := r.u8(), r.be16(), int(r.be16())
	answer := func(code byte, body []byte) []byte {
		b := binary.BigEndian.AppendUint16([]byte{code}, id)
		return append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...)
	}
	refuse := func(code uint16) []byte { return answer(sdpErrorRsp, binary.BigEndian.AppendUint16(nil, code)) }
	if r.short || n != len(r.b) {
		return refuse(sdpBadSize)
	}
	var list []byte
	limit := mtu - 5 - 2 - 1 - continuationBytes
	known := true
	switch code {
	case sdpSearchReq:
		found := r.pattern()
		r.be16()
		if _, ok := r.continuation(); r.short || !ok {
			return refuse(sdpBadSyntax)
		}
		if !found {
			return answer(code+1, make([]byte, 2+2+1))
		}
		b := binary.BigEndian.AppendUint32([]byte{0, 1, 0, 1}, recordHandle)
		return answer(code+1, append(b, 0))
	case sdpAttributeReq:
		known = r.be32() == recordHandle
		limit = min(limit, int(r.be16()))
		list = r.attributes(d)
	case sdpSearchAttrReq:
		found := r.pattern()
		limit = min(limit, int(r.be16()))
		list = r.attributes(d)
		if found {
			list = sequence(list)
		} else {
			list = sequence(nil)
		}
	default:
		return refuse(sdpBadSyntax)
	}
	offset, ok := r.continuation()
	switch {
	case r.short || limit < 7:
		return refuse(sdpBadSyntax)
	case !known:
		return refuse(sdpBadHandle)
	case !ok || offset >= len(list):
		return refuse(sdpBadContinue)
	}
	part := list[offset:min(offset+limit, len(list))]
	b := append(binary.BigEndian.AppendUint16(nil, uint16(len(part))), part...)
	if offset += len(part); offset < len(list) {
		b = binary.BigEndian.AppendUint16(append(b, continuationBytes), uint16(offset))
	} else {
		b = append(b, 0)
	}
	return answer(code+1, b)
}
