package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// errReplaced ends a connection whose place another takes.
var errReplaced = fmt.Errorf("another client took over: %w", io.EOF)

// acquire takes the meter's one place for a connection, as Config.Busy says.
func (m *Meter) acquire(ctx context.Context) error {
	if err := m.reach(ctx); err != nil {
		return err
	}
	if m.cfg.Busy == BusyRefuse {
		select {
		case m.slot <- struct{}{}:
			return nil
		default:
			return ErrBusy
		}
	}
	m.mu.Lock()
	m.waiting++
	if m.session != nil && m.cfg.Busy == BusyReplace {
		m.session.cancel(errReplaced)
	}
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.waiting--
	}()
	select {
	case m.slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reach waits as long as connecting takes.
func (m *Meter) reach(ctx context.Context) error {
	slow, err := m.call()
	if err != nil || slow == 0 {
		return err
	}
	if !sleep(ctx, slow) {
		return ctx.Err()
	}
	_, err = m.call()
	return err
}

// call says how long connecting would take now, or that it cannot be done.
func (m *Meter) call() (slow time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.advance(now)
	if _, away := m.suffers(awayFault, now); away {
		return 0, ErrAway
	}
	slow = m.faults.SlowConnect
	if _, slows := m.suffers(slowFault, now); slows {
		slow = max(slow, batterySlow)
	}
	return slow, nil
}

func (m *Meter) release() { <-m.slot }

// ServeConn serves one connection: it returns nil when the client has left,
// the context's error when ctx ended, ErrDropped when a fault dropped the
// link, ErrBusy when another connection is served, ErrAway when a fault keeps
// clients out, else what the link failed with. It closes rw in every case, which has to wake a Read or Write of rw
// that is under way.
func (m *Meter) ServeConn(ctx context.Context, rw io.ReadWriteCloser) error {
	if err := m.acquire(ctx); err != nil {
		return errors.Join(err, rw.Close())
	}
	defer m.release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	return m.serve(ctx, cancel, rw)
}

// Serve serves the connections that l accepts until ctx ends, and returns the
// context's error, or until l fails. It closes l and waits for the
// connections. How one connection ends is not an error of Serve.
func (m *Meter) Serve(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() {
		<-ctx.Done()
		// Wakes Accept, which reports what matters.
		_ = l.Close()
	})
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("accept client: %w", err)
		}
		wg.Go(func() {
			// The client sees how its connection ends; there is nobody
			// else to tell.
			_ = m.ServeConn(ctx, conn)
		})
	}
}

// Dial connects to the meter in this process; errors match ErrBusy, ErrAway or
// the context's own. The context bounds the wait for the meter, not the
// connection. The connection buffers like a
// link, and has deadlines. Close waits until the meter has taken note.
func (m *Meter) Dial(ctx context.Context) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("connect to simulated meter: %w", err)
	}
	if err := m.acquire(ctx); err != nil {
		return nil, fmt.Errorf("connect to simulated meter: %w", err)
	}
	client, server := pipe()
	conn := &dialled{end: client, served: make(chan struct{})}
	sctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	go func() {
		defer close(conn.served)
		defer m.release()
		defer cancel(nil)
		// The client sees its end of the pipe closed, whatever the reason.
		_ = m.serve(sctx, cancel, server)
	}()
	return conn, nil
}

// dialled is the client's end of an in-process connection.
type dialled struct {
	*end
	served chan struct{} // Closed when the meter's side has ended.
}

func (d *dialled) Close() error {
	err := d.end.Close()
	<-d.served
	return err
}
