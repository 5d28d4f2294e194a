package sim

import (
	"context"
	"fmt"

	"powerspy2/internal/terminal"
)

// ServePTY puts the meter behind a pseudo-terminal in raw mode, as if it were
// bound to a serial device, and returns the path that clients open. A
// connection begins when a client opens the path and ends when nobody has it
// open any more; then the next may come. Where the meter drops the link, or
// refuses it because another client is connected, the client hears nothing
// until it reopens the path: a pseudo-terminal cannot be hung up from here
// without losing its path.
//
// It serves until ctx ends or the terminal fails; wait waits for that, and
// returns the context's error or the failure. It may be called more than once.
// On systems other than Linux the error is an errors.ErrUnsupported.
func (m *Meter) ServePTY(ctx context.Context) (path string, wait func() error, err error) {
	p, err := terminal.Open()
	if err != nil {
		return "", nil, fmt.Errorf("open pseudo-terminal: %w", err)
	}
	var served error
	done := make(chan struct{})
	go func() {
		defer close(done)
		served = m.serveTerminal(ctx, p)
	}()
	return p.Path, func() error { <-done; return served }, nil
}

// serveTerminal serves one client after the other and closes p.
func (m *Meter) serveTerminal(ctx context.Context, p *terminal.Terminal) error {
	// Closing wakes the wait for a client. Nothing was written that could be
	// lost.
	stop := context.AfterFunc(ctx, func() { _ = p.Close() })
	defer func() {
		if stop() {
			_ = p.Close() // as above
		}
	}()
	for {
		l, err := p.Accept()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		// How one connection ends concerns its client only.
		_ = m.ServeConn(ctx, l)
	}
}
