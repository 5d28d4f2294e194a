package air

import (
	"time"

	"powerspy2/bdaddr"
)

// InquiryUnit is the length of one unit of inquiry (Core volume 4, part E,
// section 7.1.1).
const InquiryUnit = 1280 * time.Millisecond

// An inquiry is under way from the command to its end or cancellation.
type inquiry struct {
	unit  time.Duration
	end   *timer
	round *timer
	limit int // responses still wanted; negative: no limit
}

// startInquiry listens for as many units as the host orders. Every device in
// reach is heard once in a unit.
func (s *session) startInquiry(p *params) reply {
	lap, units, limit := p.u24(), p.u8(), int(p.u8())
	switch {
	case s.inquiry != nil:
		return failed(CommandDisallowed)
	case units == 0 || units > maxInquiryUnits:
		return failed(InvalidParameters)
	}
	if limit == 0 {
		limit = -1
	}
	return accepted(func() {
		q := &inquiry{unit: s.c.inquiryUnit, limit: limit}
		s.inquiry = q
		q.end = s.after(time.Duration(units)*q.unit, s.endInquiry)
		if lap == generalInquiryLAP {
			q.round = s.after(q.unit/4, s.hear)
		}
	})
}

// hear reports the devices in reach.
func (s *session) hear() {
	for _, d := range s.c.devices {
		if d.away || d.hidden {
			continue
		}
		s.event(s.inquiryResult(d))
		s.inquiry.limit--
		if s.inquiry.limit == 0 {
			s.inquiry.end.stop()
			s.endInquiry()
			return
		}
	}
	s.inquiry.round = s.after(s.inquiry.unit, s.hear)
}

func (s *session) inquiryResult(d *Device) (code byte, params []byte) {
	const clockOffset = 0x1234
	b := append(wireAddress([]byte{1}, d.cfg.Address), 1, 0) // page scan repetition R1
	if s.setting(opReadInqMode)[0] == 0 {
		b = le24(append(b, 0), d.cfg.Class)
		return evInquiryResult, le16(b, clockOffset)
	}
	b = le16(le24(b, d.cfg.Class), clockOffset)
	return evInquiryResultRSSI, append(b, byte(d.cfg.RSSI))
}

func (s *session) endInquiry() {
	s.stopInquiry()
	s.event(evInquiryComplete, []byte{byte(Success)})
}

func (s *session) stopInquiry() {
	if s.inquiry == nil {
		return
	}
	s.inquiry.end.stop()
	s.inquiry.round.stop()
	s.inquiry = nil
}

// remoteName asks a device for its name: over the link when there is one, else
// by a page of its own.
func (s *session) remoteName(p *params) reply {
	address := p.address()
	p.bytes(1 + 1 + 2)
	if s.names[address] != nil {
		return failed(CommandDisallowed)
	}
	return accepted(func() {
		d := s.c.lookup(address)
		wait := s.pageTimeout()
		if d != nil && !d.away {
			wait = d.latency + d.nameDelay
		}
		s.names[address] = s.after(wait, func() {
			switch {
			case d == nil || d.away:
				s.named(address, PageTimeout, "")
			case d.nameFault != Success:
				s.named(address, d.nameFault, "")
			default:
				s.named(address, Success, d.cfg.Name)
			}
		})
	})
}

func (s *session) named(address bdaddr.Address, r Reason, name string) {
	delete(s.names, address)
	b := wireAddress([]byte{byte(r)}, address)
	padded := make([]byte, nameLength)
	copy(padded, name)
	s.event(evRemoteName, append(b, padded...))
}

func (s *session) cancelRemoteName(p *params) reply {
	address := p.address()
	t := s.names[address]
	if t == nil {
		return ofAddress(UnknownConnection, address)
	}
	r := ofAddress(Success, address)
	r.then = func() {
		t.stop()
		s.named(address, UnknownConnection, "")
	}
	return r
}
