package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"powerspy2/meter"
)

// after is how long after the end of a job its last windows are waited for.
const after = 2 * time.Second

// Energy measures while work runs, and returns the energy between its beginning
// and its end. work begins when windows flow, so that both ends are measured,
// and gets a context that ends with ctx or when the measurement fails. src is
// stopped and closed.
//
// The error is that of work, which is returned as it is, or what failed in
// measuring: then the Span tells what was measured before. Look at its Coverage.
func Energy(ctx context.Context, src Source, work func(context.Context) error) (Span, error) {
	h := &History{Resolution: src.Info().Resolution()}
	mctx, cancel := context.WithCancel(ctx)
	defer cancel()
	enough := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := Run(mctx, src, h, until{enough})
		cancel()
		ended <- err
	}()
	if err := h.Wait(mctx, time.Time{}.Add(1)); err != nil || mctx.Err() != nil {
		return Span{}, errors.Join(fmt.Errorf("nothing was measured: %w", context.Cause(mctx)), <-ended)
	}
	from := time.Now()
	werr := work(mctx)
	to := time.Now()
	wctx, stop := context.WithTimeout(mctx, after)
	defer stop()
	_ = h.Wait(wctx, to) // what is missing then is told by the coverage
	close(enough)
	err := <-ended
	return h.Span(from, to), errors.Join(werr, err)
}

// until is a sink that has enough when a channel is closed.
type until struct{ enough <-chan struct{} }

func (u until) Event(*meter.Event) error {
	select {
	case <-u.enough:
		return Done
	default:
		return nil
	}
}

func (until) End() error { return nil }
