package air

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// Roles of the adapter in a link.
const (
	roleMaster = 0
	roleSlave  = 1
)

// detachTime is how long an adapter waits for a device that does not confirm
// the end of a link.
const detachTime = 2 * time.Second

// connectionAcceptTime is how long a device that calls waits for the host's word.
const connectionAcceptTime = 5 * time.Second

// A page is a connection being made, by the host or (incoming) by the device.
type page struct {
	timer    *timer
	incoming bool
	paired   bool // the timer is not the page's end: authentication of mode 3 runs
}

// A link is one ACL connection.
type link struct {
	s           *session
	d           *Device
	handle      uint16
	role        byte
	policy      uint16
	supervision time.Duration
	up          bool // Connection Complete has been sent
	removed     bool

	authenticated bool
	encrypted     bool
	auth          *auth

	// While dead nothing passes: the device is out of reach and the
	// supervision timer runs. heard keeps what the device will find when it
	// comes back.
	dead      bool
	deadTimer *timer
	heard     []func()

	// delayed is what the device has said and the host has not received yet.
	delayed    []delayedPacket
	delayTimer *timer

	rx     []byte // L2CAP packet under way from the host
	rxWant int

	channels  map[uint16]*channel // by the device's channel identifier
	nextID    uint16
	commandID uint8
	mux       *mux
}

type delayedPacket struct {
	due time.Time
	p   []byte
}

func (s *session) createConnection(p *params) reply {
	address := p.address()
	p.bytes(2 + 1 + 1 + 2 + 1)
	d := s.c.lookup(address)
	if d != nil && (d.link != nil || s.pages[d] != nil) {
		return failed(ConnectionExists)
	}
	return accepted(func() {
		if d == nil { // nobody there, nor will be: a device added meanwhile is not heard
			d = &Device{c: s.c, cfg: DeviceConfig{Address: address}, away: true}
		}
		s.page(d)
	})
}

// page calls d for the host.
func (s *session) page(d *Device) {
	if d.away {
		s.pages[d] = &page{timer: s.after(s.pageTimeout(), func() { s.failPage(d, PageTimeout) })}
		return
	}
	s.pages[d] = &page{timer: s.after(d.latency, func() {
		switch {
		case d.away: // it left in between
			s.page(d)
		case d.busy:
			s.failPage(d, LimitedResources)
		case d.mute: // no more than its page response is heard of it
			s.pages[d].timer = nil
		default:
			s.connect(d, roleMaster)
		}
	})}
}

func (s *session) failPage(d *Device, r Reason) {
	delete(s.pages, d)
	b := le16([]byte{byte(r)}, 0)
	s.event(evConnectionComplete, append(wireAddress(b, d.cfg.Address), linkTypeACL, 0))
}

// connect makes the link, after the authentication that a device in security
// mode 3 insists on.
func (s *session) connect(d *Device, role byte) {
	l := &link{
		s: s, d: d, role: role,
		policy:      binary.LittleEndian.Uint16(s.setting(opReadPolicy)),
		supervision: slots(0x7d00),
		channels:    make(map[uint16]*channel),
		nextID:      firstDynamicID,
	}
	for s.links[s.nextHandle] != nil {
		s.nextHandle = s.nextHandle%maxHandle + 1
	}
	l.handle = s.nextHandle
	s.nextHandle = s.nextHandle%maxHandle + 1
	s.links[l.handle] = l
	d.link = l
	complete := func(r Reason) {
		if r != Success {
			l.remove(r)
			s.failPage(d, r)
			return
		}
		delete(s.pages, d)
		l.up = true
		b := le16([]byte{byte(Success)}, l.handle)
		l.event(evConnectionComplete, append(wireAddress(b, d.cfg.Address), linkTypeACL, 0))
	}
	if d.cfg.SecurityMode == 3 {
		s.pages[d].paired = true
		l.authenticate(complete)
		return
	}
	complete(Success)
}

func (s *session) cancelConnection(p *params) reply {
	address := p.address()
	for d, pg := range s.pages {
		if d.cfg.Address != address || pg.incoming {
			continue
		}
		r := ofAddress(Success, address)
		r.then = func() {
			pg.timer.stop()
			if d.link != nil {
				d.link.remove(LocalHostEnded)
			}
			s.failPage(d, UnknownConnection)
		}
		return r
	}
	if d := s.c.lookup(address); d != nil && d.link != nil {
		return ofAddress(ConnectionExists, address)
	}
	return ofAddress(UnknownConnection, address)
}

// call is a device raising the link by itself.
func (s *session) call(d *Device) {
	pg := &page{incoming: true}
	pg.timer = s.after(connectionAcceptTime, func() { s.failPage(d, acceptTimeout) })
	s.pages[d] = pg
	b := le24(wireAddress(nil, d.cfg.Address), d.cfg.Class)
	s.event(evConnectionRequest, append(b, linkTypeACL))
}

// incoming finds the device that waits for the host's word on its call.
func (s *session) incoming(p *params) *Device {
	d := s.c.lookup(p.address())
	if d == nil || s.pages[d] == nil || !s.pages[d].incoming || d.link != nil {
		return nil
	}
	return d
}

func (s *session) acceptConnection(p *params) reply {
	d, role := s.incoming(p), p.u8()
	if d == nil {
		return failed(UnknownConnection)
	}
	return accepted(func() {
		s.pages[d].timer.stop()
		if role == roleMaster {
			s.roleChanged(d, roleMaster)
		}
		s.connect(d, role&1)
	})
}

func (s *session) rejectConnection(p *params) reply {
	d, reason := s.incoming(p), Reason(p.u8())
	if d == nil {
		return failed(UnknownConnection)
	}
	return accepted(func() {
		s.pages[d].timer.stop()
		s.failPage(d, reason)
	})
}

func (s *session) disconnect(p *params) reply {
	l := s.link(p)
	p.u8() // the reason goes to the device
	if l == nil || !l.up {
		return failed(UnknownConnection)
	}
	return accepted(func() {
		if !l.dead {
			l.drop(LocalHostEnded)
			return
		}
		s.after(min(detachTime, l.supervision), func() { l.drop(LocalHostEnded) })
	})
}

// drop ends the link and tells the host.
func (l *link) drop(r Reason) {
	if l.removed {
		return
	}
	l.remove(r)
	if !l.up {
		l.s.failPage(l.d, r)
		return
	}
	l.s.event(evDisconnectionComplete, append(le16([]byte{byte(Success)}, l.handle), byte(r)))
}

// remove forgets the link without a word to the host.
func (l *link) remove(r Reason) {
	if l.removed {
		return
	}
	l.removed = true
	l.deadTimer.stop()
	l.delayTimer.stop()
	l.endAuth()
	for _, ch := range l.channels {
		ch.close()
	}
	delete(l.s.links, l.handle)
	l.d.link = nil
	l.d.lastReason = r
}

// setDead begins or ends a time in which device and adapter do not hear each
// other; when it lasts for the supervision time the link is lost.
func (l *link) setDead(dead bool) {
	if l.dead == dead {
		return
	}
	l.dead = dead
	if dead {
		l.deadTimer = l.s.after(l.supervision, func() { l.drop(ConnectionTimeout) })
		return
	}
	l.deadTimer.stop()
	heard := l.heard
	l.heard = nil
	for _, f := range heard {
		l.atDevice(f)
	}
	l.flush()
}

// atDevice does f when the device hears of it: at once, or when it is back.
func (l *link) atDevice(f func()) {
	switch {
	case l.removed:
	case !l.dead:
		f()
	case len(l.heard) < heldLimit:
		l.heard = append(l.heard, f)
	}
}

// deliver brings a packet of the device to the host, after the device's
// latency and never before an earlier one.
func (l *link) deliver(p []byte) {
	if l.removed {
		return
	}
	if l.d.latency <= 0 && !l.dead && len(l.delayed) == 0 {
		l.s.send(p)
		return
	}
	due := time.Now().Add(l.d.latency)
	if n := len(l.delayed); n > 0 && due.Before(l.delayed[n-1].due) {
		due = l.delayed[n-1].due
	}
	l.delayed = append(l.delayed, delayedPacket{due, p})
	if len(l.delayed) == 1 {
		l.flush()
	}
}

// flush sends what is due and sets the timer for the next.
func (l *link) flush() {
	l.delayTimer.stop()
	for len(l.delayed) > 0 && !l.dead && !l.removed {
		if wait := time.Until(l.delayed[0].due); wait > 0 {
			l.delayTimer = l.s.after(wait, l.flush)
			return
		}
		l.s.send(l.delayed[0].p)
		l.delayed = l.delayed[1:]
	}
}

// event delivers an event that the device causes.
func (l *link) event(code byte, params []byte) { l.deliver(eventPacket(code, params)) }

// acl takes a packet of ACL data without its type byte.
func (s *session) acl(b []byte) {
	head := binary.LittleEndian.Uint16(b)
	l := s.links[head&0x0fff]
	if l == nil || !l.up {
		return
	}
	data := append([]byte(nil), b[4:]...)
	l.atDevice(func() {
		s.event(evCompletedPackets, le16(le16([]byte{1}, l.handle), 1))
		l.reassemble(head>>12&3, data)
	})
}

// reassemble joins fragments to L2CAP packets. A fragment that does not fit is
// dropped with the packet it belongs to, as the specification has it.
func (l *link) reassemble(boundary uint16, data []byte) {
	switch boundary {
	case firstNonFlushable, firstFlushable:
		l.rx = nil
		if len(data) < 4 {
			return
		}
		l.rxWant = 4 + int(binary.LittleEndian.Uint16(data))
	case continuation:
		if l.rx == nil {
			return
		}
	default:
		return
	}
	l.rx = append(l.rx, data...)
	if len(l.rx) < l.rxWant {
		return
	}
	p := l.rx
	l.rx = nil
	if len(p) == l.rxWant {
		l.l2cap(binary.LittleEndian.Uint16(p[2:]), p[4:])
	}
}

// newKey makes a link key.
func newKey() *[16]byte {
	k := new([16]byte)
	rand.Read(k[:]) // never fails
	return k
}
