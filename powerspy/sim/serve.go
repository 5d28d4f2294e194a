package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// errReplaced ends a connection whose place another takes.
var errReplaced = fmt.Errorf("another client took over: %w", io.EOF)

// acquire takes the meter's one place for a connection, as Config.Busy says.
func (m *Meter) acquire(ctx context.Context) error {
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

func (m *Meter) release() { <-m.slot }

// ServeConn serves one connection: it returns nil when the client has left,
// the context's error when ctx ended, ErrDropped when a fault dropped the
// link, ErrBusy when another connection is served, else what the link failed
// with. It closes rw in every case, which has to wake a Read or Write of rw
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
// connections. How one connection ends is no error of Serve.
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

// Dial connects to the meter in this process. The context bounds the wait for
// the meter's one place, not the connection. The connection buffers like a
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
