package air

// What a 2.0 + EDR module says of itself: no simple pairing (but for
// DeviceConfig.SimplePairing), no extended inquiry response, no low energy.
var (
	deviceFeatures = []byte{0xff, 0xff, 0x8f, 0xfe, 0x9b, 0xf9, 0x00, 0x80}
	deviceVersion  = []byte{0x03, 0x0a, 0x00, 0x37, 0x0c}
)

// onLink makes the reply of a command about a link whose result is an event
// that starts with status and handle; result yields the rest.
func (s *session) onLink(l *link, event byte, result []byte) reply {
	if l == nil {
		return failed(UnknownConnection)
	}
	return accepted(func() {
		l.atDevice(func() {
			l.event(event, append(le16([]byte{byte(Success)}, l.handle), result...))
		})
	})
}

// features returns what the device says of itself on a page of features.
func (d *Device) features(page uint8) (features []byte, lastPage uint8) {
	features = make([]byte, 8)
	if page == 0 {
		copy(features, deviceFeatures)
	}
	if d.cfg.SimplePairing {
		lastPage = 1
		switch page {
		case 0:
			features[6] |= 1 << 3 // its controller can do simple pairing
		case 1:
			features[0] |= 1 << 0 // and its host
		}
	}
	return features, lastPage
}

func (s *session) remoteFeatures(p *params) reply {
	l := s.link(p)
	if l == nil {
		return failed(UnknownConnection)
	}
	features, _ := l.d.features(0)
	return s.onLink(l, evRemoteFeatures, features)
}

func (s *session) remoteExtFeatures(p *params) reply {
	l, page := s.link(p), p.u8()
	if l == nil {
		return failed(UnknownConnection)
	}
	features, last := l.d.features(page)
	return s.onLink(l, evRemoteExtFeatures, append([]byte{page, last}, features...))
}

func (s *session) remoteVersion(p *params) reply {
	return s.onLink(s.link(p), evRemoteVersion, deviceVersion)
}

func (s *session) clockOffset(p *params) reply {
	return s.onLink(s.link(p), evClockOffset, le16(nil, 0x1234))
}

func (s *session) changePacketType(p *params) reply {
	l, types := s.link(p), p.u16()
	return s.onLink(l, evPacketTypeChanged, le16(nil, types))
}

func (s *session) setupQoS(p *params) reply {
	l := s.link(p)
	return s.onLink(l, evQoSSetup, append([]byte(nil), p.bytes(1+1+4*4)...))
}

// sniff grants the longest interval that the host allows.
func (s *session) sniff(p *params) reply {
	l, interval := s.link(p), p.u16()
	p.bytes(3 * 2)
	return s.onLink(l, evModeChange, le16([]byte{2}, interval))
}

func (s *session) exitSniff(p *params) reply {
	return s.onLink(s.link(p), evModeChange, []byte{0, 0, 0})
}

func (s *session) switchRole(p *params) reply {
	d, role := s.c.lookup(p.address()), p.u8()&1
	if d == nil || d.link == nil {
		return failed(UnknownConnection)
	}
	l := d.link
	return accepted(func() {
		l.atDevice(func() {
			l.role = role
			s.roleChanged(d, role)
		})
	})
}

func (s *session) roleChanged(d *Device, role byte) {
	s.event(evRoleChange, append(wireAddress([]byte{byte(Success)}, d.cfg.Address), role))
}
