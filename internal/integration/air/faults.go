package air

import "time"

// set changes a device with the lock held.
func (d *Device) set(f func()) {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	f()
}

// SetAway takes the device out of reach or brings it back. Away it answers no
// inquiry and no page, which then takes the page timeout; a link stays up dead
// and is lost with ConnectionTimeout when the supervision time (20 s unless the
// host has set another) is over. Nothing is lost on a link when it comes back
// before.
func (d *Device) SetAway(away bool) {
	d.set(func() {
		if d.away == away {
			return
		}
		d.away = away
		s := d.c.session
		if d.link != nil {
			d.link.setDead(away)
			return
		}
		if s == nil || away {
			return
		}
		if p := s.pages[d]; p != nil && !p.incoming { // the page under way finds it
			p.timer.stop()
			s.page(d)
		}
	})
}

// SetHidden keeps the device out of inquiries: it can be connected all the same.
func (d *Device) SetHidden(hidden bool) { d.set(func() { d.hidden = hidden }) }

// SetBusy makes the device refuse new links with LimitedResources, as one does
// that is connected to another host. A link that is up stays.
func (d *Device) SetBusy(busy bool) { d.set(func() { d.busy = busy }) }

// SetMute makes the adapter never say how a page of the device went: Create
// Connection is accepted and nothing follows.
func (d *Device) SetMute(mute bool) { d.set(func() { d.mute = mute }) }

// SetRefuse makes the device refuse L2CAP connections for RFCOMM.
func (d *Device) SetRefuse(refuse bool) { d.set(func() { d.refuse = refuse }) }

// SetSilent makes the device say nothing on its serial port; what it would have
// said in that time is lost. The link and the channel stay up.
func (d *Device) SetSilent(silent bool) { d.set(func() { d.silent = silent }) }

// SetLatency delays each answer of the device and everything else it sends.
func (d *Device) SetLatency(latency time.Duration) { d.set(func() { d.latency = latency }) }

// SetNameDelay makes the device take that long to tell its name.
func (d *Device) SetNameDelay(delay time.Duration) { d.set(func() { d.nameDelay = delay }) }

// SetNameFault makes remote name requests to a device in reach fail with r;
// Success ends the fault.
func (d *Device) SetNameFault(r Reason) { d.set(func() { d.nameFault = r }) }

// SetName changes the device's name.
func (d *Device) SetName(name string) {
	d.set(func() { d.cfg.Name = name[:min(len(name), nameLength)] })
}

// SetPIN changes the PIN that the device wants; its keys stay.
func (d *Device) SetPIN(pin string) { d.set(func() { d.cfg.PIN = pin }) }

// SetRSSI changes the strength at which inquiries hear the device, in dBm.
func (d *Device) SetRSSI(rssi int8) { d.set(func() { d.cfg.RSSI = rssi }) }

// SetSecurityMode changes the security mode, 1 to 3, of links to come.
func (d *Device) SetSecurityMode(mode int) error {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	cfg := d.cfg
	cfg.SecurityMode = mode
	if mode == 0 {
		cfg.SecurityMode = -1
	}
	if err := cfg.setDefaults(); err != nil {
		return err
	}
	d.cfg.SecurityMode = mode
	return nil
}

// SetChannel moves the serial port to another channel, 1 to 30, in the record
// and for channels to come.
func (d *Device) SetChannel(channel uint8) error {
	if err := checkChannel(channel); err != nil {
		return err
	}
	d.set(func() { d.cfg.Channel = channel })
	return nil
}

// ForgetKey makes the device forget its pairing: the next authentication with
// the old key fails with KeyMissing.
func (d *Device) ForgetKey() { d.set(func() { d.key = nil }) }

// CorruptKey replaces the device's key by another: the next authentication with
// the old one fails with AuthFailure.
func (d *Device) CorruptKey() { d.set(func() { d.key = newKey() }) }

// DropLink ends the link for a reason: ConnectionTimeout as when radio contact
// is lost, RemoteUserEnded, RemotePowerOff, or any other. It reports whether
// there was a link.
func (d *Device) DropLink(r Reason) (dropped bool) {
	d.set(func() {
		if dropped = d.link != nil; dropped {
			d.link.drop(r)
		}
	})
	return dropped
}

// DropChannel closes the open serial port from the device's side (DISC). It
// reports whether there was one.
func (d *Device) DropChannel() (dropped bool) {
	d.set(func() {
		if d.link == nil || d.link.mux == nil {
			return
		}
		if c := d.link.mux.openDLC(); c != nil {
			c.disconnect()
			dropped = true
		}
	})
	return dropped
}

// DropL2CAP closes the L2CAP channel under RFCOMM from the device's side. It
// reports whether there was one.
func (d *Device) DropL2CAP() (dropped bool) {
	d.set(func() {
		if d.link != nil && d.link.mux != nil && d.link.mux.ch.open() {
			d.link.mux.ch.disconnect()
			dropped = true
		}
	})
	return dropped
}

// Call makes the device raise a link to the host, which decides on it. It
// reports whether the host can be called: there is one, it listens (page scan),
// and no link or page is there yet.
func (d *Device) Call() (called bool) {
	d.set(func() {
		s := d.c.session
		if s == nil || d.away || d.link != nil || s.pages[d] != nil || s.setting(opReadScanEnable)[0]&scanPage == 0 {
			return
		}
		s.call(d)
		called = true
	})
	return called
}

// SetHung makes the controller hang: it answers nothing and delivers nothing.
// Afterwards it goes on where it was, only commands sent meanwhile are lost.
func (c *Controller) SetHung(hung bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hung = hung
	s := c.session
	if hung || s == nil {
		return
	}
	held := s.held
	s.held = nil
	for _, p := range held {
		s.handle(p)
	}
	s.changed.Broadcast()
}

// Unplug pulls the adapter out: Run returns ErrUnplugged, and Serve waits for Plug.
func (c *Controller) Unplug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.plugged:
		c.plugged = make(chan struct{})
	default:
	}
	if c.session != nil {
		c.session.cancel(ErrUnplugged)
	}
}

// Plug puts the adapter in again for Serve.
func (c *Controller) Plug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.plugged:
	default:
		close(c.plugged)
	}
}
