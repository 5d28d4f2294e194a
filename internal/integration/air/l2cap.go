package air

import "encoding/binary"

// L2CAP (Core volume 3, part A): channels, services and signalling commands.
const (
	signallingID   = 0x0001
	firstDynamicID = 0x0040
	maxChannels    = 64 // on one link; a host opens two or three

	psmSDP    = 0x0001
	psmRFCOMM = 0x0003

	cmdReject        = 0x01
	cmdConnectReq    = 0x02
	cmdConnectRsp    = 0x03
	cmdConfigureReq  = 0x04
	cmdConfigureRsp  = 0x05
	cmdDisconnectReq = 0x06
	cmdDisconnectRsp = 0x07
	cmdEchoReq       = 0x08
	cmdEchoRsp       = 0x09
	cmdInfoReq       = 0x0a
	cmdInfoRsp       = 0x0b

	rejectUnknown = 0x0000
	rejectChannel = 0x0002

	connectOK          = 0x0000
	connectPending     = 0x0001
	connectNoPSM       = 0x0002
	connectSecurity    = 0x0003
	connectNoResources = 0x0004
	connectBadID       = 0x0006
	connectIDInUse     = 0x0007
	pendingAuth        = 0x0001

	configOK      = 0x0000
	configUnknown = 0x0003

	optionMTU          = 0x01
	optionFlushTimeout = 0x02
	optionMode         = 0x04
	optionFCS          = 0x05

	minMTU     = 48
	defaultMTU = 672
)

// A channel is one L2CAP channel. The host opens it.
type channel struct {
	l             *link
	psm           uint16
	local, remote uint16
	mtu           int // the largest packet that the host takes
	accepted      bool
	localDone     bool // the host has accepted our configuration
	remoteDone    bool // and we the host's
	closing       bool // our disconnection request is under way
	receive       func(p []byte)
	onClose       func()
}

func (ch *channel) open() bool {
	return ch.accepted && ch.localDone && ch.remoteDone && !ch.closing
}

// send sends one packet on an open channel.
func (ch *channel) send(p []byte) {
	if ch.open() {
		ch.l.sendL2CAP(ch.remote, p)
	}
}

// close forgets the channel.
func (ch *channel) close() {
	delete(ch.l.channels, ch.local)
	if ch.onClose != nil {
		ch.onClose()
		ch.onClose = nil
	}
}

// disconnect ends the channel from the device's side.
func (ch *channel) disconnect() {
	ch.closing = true
	if ch.onClose != nil {
		ch.onClose()
		ch.onClose = nil
	}
	ch.l.request(cmdDisconnectReq, le16(le16(nil, ch.remote), ch.local))
}

func (l *link) sendL2CAP(id uint16, p []byte) {
	b := le16(le16(nil, uint16(len(p))), id)
	l.deliver(aclPacket(l.handle, append(b, p...)))
}

// l2cap takes one packet for a channel of the device.
func (l *link) l2cap(id uint16, p []byte) {
	if id == signallingID {
		l.signals(p)
		return
	}
	if ch := l.channels[id]; ch != nil && ch.open() {
		ch.receive(p)
	}
}

func (l *link) command(code, id byte, data []byte) {
	l.sendL2CAP(signallingID, append(le16([]byte{code, id}, uint16(len(data))), data...))
}

func (l *link) request(code byte, data []byte) {
	l.commandID = l.commandID%0xff + 1
	l.command(code, l.commandID, data)
}

// signals takes the commands of one signalling packet.
func (l *link) signals(b []byte) {
	for len(b) >= 4 && !l.removed {
		code, id, n := b[0], b[1], int(binary.LittleEndian.Uint16(b[2:]))
		b = b[4:]
		if n > len(b) {
			l.reject(id, rejectUnknown)
			return
		}
		l.signal(code, id, &params{b: b[:n]})
		b = b[n:]
	}
}

func (l *link) reject(id byte, reason uint16, data ...uint16) {
	b := le16(nil, reason)
	for _, v := range data {
		b = le16(b, v)
	}
	l.command(cmdReject, id, b)
}

// signal takes one command. Responses are told from requests by their code;
// only what this device asks can be answered, so their identifiers need no check.
func (l *link) signal(code, id byte, p *params) {
	switch code {
	case cmdConnectReq:
		psm, remote := p.u16(), p.u16()
		if !p.short {
			l.connectRequest(id, psm, remote)
		}
	case cmdConfigureReq:
		local, flags := p.u16(), p.u16()
		if !p.short {
			l.configureRequest(id, local, flags, p.b)
		}
	case cmdConfigureRsp:
		local, flags, result := p.u16(), p.u16(), p.u16()
		ch := l.channels[local]
		switch {
		case p.short || ch == nil || flags&1 != 0:
		case result == configOK:
			ch.localDone = true
		default: // the host takes no packet of ours: nothing to offer instead
			ch.disconnect()
		}
	case cmdDisconnectReq:
		local, remote := p.u16(), p.u16()
		ch := l.channels[local]
		switch {
		case p.short:
		case ch == nil || ch.remote != remote:
			l.reject(id, rejectChannel, local, remote)
		default:
			l.command(cmdDisconnectRsp, id, le16(le16(nil, local), remote))
			ch.close()
		}
	case cmdDisconnectRsp:
		p.u16()
		if ch := l.channels[p.u16()]; ch != nil && ch.closing {
			ch.close()
		}
	case cmdEchoReq:
		l.command(cmdEchoRsp, id, p.b)
	case cmdInfoReq:
		const notSupported = 1 // a 2.0 device knows no extended features
		l.command(cmdInfoRsp, id, le16(le16(nil, p.u16()), notSupported))
	case cmdReject, cmdConnectRsp, cmdEchoRsp, cmdInfoRsp:
	default:
		l.reject(id, rejectUnknown)
	}
}

func (l *link) connectResponse(id byte, local, remote, result, status uint16) {
	l.command(cmdConnectRsp, id, le16(le16(le16(le16(nil, local), remote), result), status))
}

func (l *link) connectRequest(id byte, psm, remote uint16) {
	refuse := func(result uint16) { l.connectResponse(id, 0, remote, result, 0) }
	if remote < firstDynamicID {
		refuse(connectBadID)
		return
	}
	for _, ch := range l.channels {
		if ch.remote == remote {
			refuse(connectIDInUse)
			return
		}
	}
	ch := &channel{l: l, psm: psm, remote: remote, mtu: defaultMTU}
	switch {
	case len(l.channels) >= maxChannels:
		refuse(connectNoResources)
		return
	case psm == psmSDP:
		ch.receive = func(p []byte) { ch.send(l.d.sdp(p, ch.mtu)) }
	case psm == psmRFCOMM && !l.d.refuse && l.mux == nil:
		l.newMux(ch)
	default:
		refuse(connectNoPSM)
		return
	}
	for l.channels[l.nextID] != nil || l.nextID < firstDynamicID {
		l.nextID++
	}
	ch.local = l.nextID
	l.nextID++
	l.channels[ch.local] = ch
	if psm == psmSDP || l.authenticated || l.d.cfg.SecurityMode == 1 {
		l.accept(ch, id)
		return
	}
	// Security mode 2: this service wants to know who asks.
	if l.d.cfg.RefuseStrangers {
		ch.close()
		refuse(connectSecurity)
		return
	}
	l.connectResponse(id, ch.local, remote, connectPending, pendingAuth)
	l.authenticate(func(r Reason) {
		switch {
		case r != Success:
			l.drop(r)
		case l.channels[ch.local] == ch:
			l.accept(ch, id)
		}
	})
}

// accept opens the channel and offers its configuration.
func (l *link) accept(ch *channel, id byte) {
	ch.accepted = true
	l.connectResponse(id, ch.local, ch.remote, connectOK, 0)
	b := le16(le16(nil, ch.remote), 0)
	b = append(b, optionMTU, 2)
	l.request(cmdConfigureReq, le16(b, uint16(l.d.cfg.MTU)))
}

// configureRequest takes the host's configuration: any MTU, basic mode, and no
// option that a 2.0 device does not know.
func (l *link) configureRequest(id byte, local, flags uint16, options []byte) {
	ch := l.channels[local]
	if ch == nil || !ch.accepted {
		l.reject(id, rejectChannel, local, 0)
		return
	}
	result, answer := uint16(configOK), []byte(nil)
	for len(options) >= 2 {
		kind, n := options[0], int(options[1])
		if 2+n > len(options) {
			break
		}
		value := options[2 : 2+n]
		switch {
		case kind == optionMTU && n == 2:
			if mtu := int(binary.LittleEndian.Uint16(value)); mtu >= minMTU {
				ch.mtu = mtu
			}
		case kind&0x80 != 0, kind&0x7f == optionFlushTimeout: // a hint may be skipped
		case kind == optionMode && n >= 1 && value[0] == 0, kind == optionFCS:
		default:
			if result != configUnknown {
				result, answer = configUnknown, nil
			}
			answer = append(answer, options[:2+n]...)
		}
		options = options[2+n:]
	}
	if result == configOK {
		answer = le16([]byte{optionMTU, 2}, uint16(ch.mtu))
	}
	b := le16(le16(le16(nil, ch.remote), flags&1), result)
	l.command(cmdConfigureRsp, id, append(b, answer...))
	if result == configOK && flags&1 == 0 {
		ch.remoteDone = true
	}
}
