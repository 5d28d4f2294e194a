package air

import (
	"context"
	"io"
	"sync"
	"time"
)

// creditWindow is how many frames a host may have under way to a channel. It
// is refilled when half is used.
const creditWindow = 14

// drainTime is how long a device may take for what it was sent before the
// channel was closed.
const drainTime = time.Second

// A dlc is one open RFCOMM channel, joined to what the device dialled.
type dlc struct {
	m       *mux
	dlci    byte
	agreed  parameters
	ctx     context.Context // ends with the channel
	cancel  context.CancelFunc
	changed *sync.Cond

	open    bool // UA has been sent
	closing bool // DISC has been sent
	removed bool
	ready   bool // the host has told its signals, so it is ready for data
	stopped bool // it has set flow control in them

	credits int // frames that may be sent to the host
	granted int // frames that the host may send
	stopSet bool
	queue   []byte // from the host, on its way to the device
	frames  int    // that the queue came in
}

// newDLC begins to open a channel: the host has its answer when the other end
// is dialled.
func (m *mux) newDLC(dlci byte, p parameters) {
	s := m.ch.l.s
	if s.ended {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	d := &dlc{m: m, dlci: dlci, agreed: p, ctx: ctx, cancel: cancel, changed: sync.NewCond(&s.c.mu), credits: p.first}
	if p.credits {
		d.granted = startCredits
	}
	m.dlcs[dlci] = d
	s.work.Go(func() { d.serve(s.ctx, &s.c.mu) })
}

// serve is the life of a channel, from Dial to its end or the session's.
func (d *dlc) serve(session context.Context, mu *sync.Mutex) {
	defer d.cancel()
	device := d.m.device()
	select {
	case device.port <- struct{}{}:
		defer func() { <-device.port }()
	case <-d.ctx.Done(): // whoever ended it has removed it, or the session ends
		return
	}
	rw, err := device.cfg.Dial(d.ctx)
	if err != nil {
		mu.Lock()
		defer mu.Unlock()
		if !d.removed {
			d.remove()
			d.m.sendControl(frameDM, d.dlci, true)
		}
		return
	}
	mu.Lock()
	if !d.removed {
		d.open = true
		d.m.sendControl(frameUA, d.dlci, true)
		d.sendSignals(signalsV)
	}
	mu.Unlock()
	var loops sync.WaitGroup
	written := make(chan struct{})
	loops.Go(func() { d.fromDevice(mu, rw) })
	loops.Go(func() {
		defer close(written)
		d.toDevice(mu, rw)
	})
	<-d.ctx.Done()
	mu.Lock()
	d.remove() // when the device closed it, or Run ended
	mu.Unlock()
	// What the host wrote before it closed has reached the device.
	drain, cancel := context.WithTimeout(session, drainTime)
	defer cancel()
	select {
	case <-written:
	case <-drain.Done():
	}
	_ = rw.Close() // the channel is gone whatever Close says of the other end
	loops.Wait()
}

// remove forgets the channel and lets its goroutines end.
func (d *dlc) remove() {
	if d.removed {
		return
	}
	d.removed, d.open = true, false
	delete(d.m.dlcs, d.dlci)
	d.cancel()
	d.changed.Broadcast()
}

// disconnect closes the channel from the device's side.
func (d *dlc) disconnect() {
	if d.removed || d.closing {
		return
	}
	d.closing, d.open = true, false
	d.cancel()
	d.changed.Broadcast()
	d.m.sendControl(frameDISC, d.dlci, false)
}

func (d *dlc) sendSignals(v byte) { d.m.reply(muxMSC, false, d.dlci<<2|3, v) }

// signals takes the host's V.24 signals.
func (d *dlc) signals(v byte) {
	d.ready = true
	d.stopped = v&signalFC != 0
	d.changed.Broadcast()
}

// receive takes a UIH frame with data, credits or both.
func (d *dlc) receive(f frame) {
	if d.agreed.credits && f.poll {
		if len(f.data) == 0 {
			return
		}
		d.credits += int(f.data[0])
		f.data = f.data[1:]
		d.changed.Broadcast()
	}
	if len(f.data) == 0 || !d.open {
		return
	}
	if d.agreed.credits {
		if d.granted == 0 { // a host that sends without leave
			d.remove()
			d.m.sendControl(frameDM, d.dlci, true)
			return
		}
		d.granted--
		d.frames++
	} else if len(d.queue)+len(f.data) > 4*plainQueueLimit {
		return // it was told to stop and goes on: its data is lost
	}
	d.queue = append(d.queue, f.data...)
	if !d.agreed.credits && len(d.queue) > plainQueueLimit && !d.stopSet {
		d.stopSet = true
		d.sendSignals(signalsV | signalFC)
	}
	d.changed.Broadcast()
}

// toDevice writes what the host sends, and grants credits for what was taken.
func (d *dlc) toDevice(mu *sync.Mutex, rw io.Writer) {
	mu.Lock()
	defer mu.Unlock()
	for {
		for len(d.queue) == 0 && !d.removed {
			d.changed.Wait()
		}
		if len(d.queue) == 0 {
			return
		}
		p := d.queue
		d.queue, d.frames = nil, 0
		mu.Unlock()
		_, err := rw.Write(p)
		mu.Lock()
		if err != nil {
			d.queue = nil
			d.disconnect()
			return
		}
		d.taken()
	}
}

// taken gives the host leave to send again.
func (d *dlc) taken() {
	if !d.open {
		return
	}
	if d.stopSet {
		d.stopSet = false
		d.sendSignals(signalsV)
	}
	if more := creditWindow - d.granted - d.frames; d.agreed.credits && more >= creditWindow/2 {
		d.granted += more
		d.m.ch.send(appendFrame(frame{dlci: d.dlci, kind: frameUIH, poll: true, credits: byte(more)}, true))
	}
}

// mayWrite reports whether a frame of data may go to the host now.
func (d *dlc) mayWrite() bool {
	if d.agreed.credits {
		return d.ready && d.credits > 0 && !d.m.stop
	}
	return d.ready && !d.stopped && !d.m.stop
}

// fromDevice sends what the device says, a frame for a read, as the host's
// credits allow. The device's end closes the channel.
func (d *dlc) fromDevice(mu *sync.Mutex, rw io.Reader) {
	buf := make([]byte, d.agreed.size)
	for {
		n, err := rw.Read(buf)
		mu.Lock()
		for n > 0 && d.open && !d.mayWrite() {
			d.changed.Wait()
		}
		if n > 0 && d.open && !d.m.device().silent {
			if d.agreed.credits {
				d.credits--
			}
			data := append([]byte(nil), buf[:n]...)
			d.m.ch.send(appendFrame(frame{dlci: d.dlci, kind: frameUIH, data: data}, false))
		}
		if err != nil {
			d.disconnect()
		}
		open := d.open
		mu.Unlock()
		if !open {
			return
		}
	}
}
