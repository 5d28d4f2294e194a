package air

import "crypto/subtle"

// An auth is an authentication under way on a link, begun by either side.
type auth struct {
	done   []func(Reason)
	wanted byte // the event whose answer is awaited
	timer  *timer
}

// authenticate proves that both sides have the same key, pairing them when the
// host has none, and calls done with the result. While one runs another joins it.
//
// A device without a key asks the host for one all the same: that is how a host
// with an old key learns that it is forgotten (Core volume 2, part C, section 4.2.1).
func (l *link) authenticate(done func(Reason)) {
	if l.auth != nil {
		l.auth.done = append(l.auth.done, done)
		return
	}
	l.auth = &auth{done: []func(Reason){done}}
	l.auth.timer = l.s.after(l.d.cfg.PINTimeout, func() { l.finish(LMPResponseTimeout) })
	l.ask(evLinkKeyRequest)
}

// ask sends a request of the authentication under way to the host.
func (l *link) ask(event byte, params ...byte) {
	l.auth.wanted = event
	l.event(event, append(wireAddress(nil, l.d.cfg.Address), params...))
}

// finish ends the authentication under way with a result.
func (l *link) finish(r Reason) {
	a := l.auth
	if a == nil {
		return
	}
	l.endAuth()
	if r == Success {
		l.authenticated = true
	}
	for _, done := range a.done {
		done(r)
	}
}

func (l *link) endAuth() {
	if l.auth != nil {
		l.auth.timer.stop()
		l.auth = nil
	}
}

// answered finds the link whose authentication waits for the answer to event
// from the host. The reply is the command's.
func (s *session) answered(p *params, event byte, then func(*link)) reply {
	address := p.address()
	d := s.c.lookup(address)
	if d == nil || d.link == nil || d.link.auth == nil || d.link.auth.wanted != event {
		return ofAddress(UnknownConnection, address)
	}
	l := d.link
	r := ofAddress(Success, address)
	r.then = func() {
		l.auth.wanted = 0
		a := l.auth
		l.atDevice(func() {
			if l.auth == a {
				then(l)
			}
		})
	}
	return r
}

func (s *session) linkKeyReply(p *params) reply {
	var key [16]byte
	r := s.answered(p, evLinkKeyRequest, func(l *link) {
		switch {
		case l.d.key == nil:
			l.finish(KeyMissing)
		case subtle.ConstantTimeCompare(l.d.key[:], key[:]) == 0:
			l.finish(AuthFailure)
		default:
			l.finish(Success)
		}
	})
	copy(key[:], p.bytes(len(key)))
	return r
}

func (s *session) linkKeyNegative(p *params) reply {
	return s.answered(p, evLinkKeyRequest, func(l *link) {
		if l.d.cfg.SimplePairing && s.setting(opReadSSPMode)[0] == 1 {
			l.ask(evIOCapabilityRequest)
		} else {
			l.ask(evPINRequest)
		}
	})
}

// ioCapabilityReply begins Secure Simple Pairing (Core volume 2, part C, section
// 4.2.7). The device can neither show nor take a number, so that the host's
// confirmation is all that is asked for.
func (s *session) ioCapabilityReply(p *params) reply {
	r := s.answered(p, evIOCapabilityRequest, func(l *link) {
		if l.d.cfg.NoPairing {
			l.simplePairingEnds(PairingNotAllowed)
			return
		}
		l.event(evIOCapabilityResponse, append(wireAddress(nil, l.d.cfg.Address), noInputNoOutput, 0, dedicatedBonding))
		l.ask(evConfirmationRequest, 0x40, 0xe2, 0x01, 0) // the number 123456
	})
	p.bytes(3) // capability, out of band data, requirements
	return r
}

func (s *session) ioCapabilityNegative(p *params) reply {
	r := s.answered(p, evIOCapabilityRequest, func(l *link) { l.simplePairingEnds(AuthFailure) })
	p.u8() // the reason goes to the device
	return r
}

func (s *session) confirmationReply(p *params) reply {
	return s.answered(p, evConfirmationRequest, func(l *link) { l.simplePairingEnds(Success) })
}

func (s *session) confirmationNegative(p *params) reply {
	return s.answered(p, evConfirmationRequest, func(l *link) { l.simplePairingEnds(AuthFailure) })
}

func (l *link) simplePairingEnds(r Reason) {
	l.event(evSimplePairingComplete, wireAddress([]byte{byte(r)}, l.d.cfg.Address))
	if r == Success {
		l.giveKey(keyTypeSimple)
	}
	l.finish(r)
}

// giveKey makes a new key for the device and the host.
func (l *link) giveKey(kind byte) {
	l.d.key = newKey()
	l.event(evLinkKeyNotification, append(append(wireAddress(nil, l.d.cfg.Address), l.d.key[:]...), kind))
}

func (s *session) pinReply(p *params) reply {
	var pin string
	r := s.answered(p, evPINRequest, func(l *link) {
		switch {
		case l.d.cfg.NoPairing:
			l.finish(PairingNotAllowed)
		case pin != l.d.cfg.PIN:
			l.finish(AuthFailure)
		default:
			l.giveKey(keyTypeCombination)
			l.finish(Success)
		}
	})
	n := int(p.u8())
	if b := p.bytes(maxPIN); n <= maxPIN {
		pin = string(b[:n])
	}
	return r
}

func (s *session) pinNegative(p *params) reply {
	return s.answered(p, evPINRequest, func(l *link) { l.finish(KeyMissing) })
}

// requestAuthentication is the host's own wish to authenticate.
func (s *session) requestAuthentication(p *params) reply {
	l := s.link(p)
	if l == nil || !l.up {
		return failed(UnknownConnection)
	}
	return accepted(func() {
		l.atDevice(func() {
			l.authenticate(func(r Reason) {
				l.event(evAuthComplete, le16([]byte{byte(r)}, l.handle))
			})
		})
	})
}

// setEncryption switches encryption, which needs a key.
func (s *session) setEncryption(p *params) reply {
	l, on := s.link(p), p.u8()&1
	if l == nil || !l.up {
		return failed(UnknownConnection)
	}
	return accepted(func() {
		l.atDevice(func() {
			r := Success
			if on == 1 && !l.authenticated {
				r = KeyMissing
			} else {
				l.encrypted = on == 1
			}
			l.event(evEncryptionChange, append(le16([]byte{byte(r)}, l.handle), b2u(l.encrypted)))
		})
	})
}

func b2u(b bool) byte {
	if b {
		return 1
	}
	return 0
}
