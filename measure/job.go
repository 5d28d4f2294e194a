package measure

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Patience is how long after the end of a job its last windows are waited for.
const Patience = 2 * time.Second

// Energy measures while work runs, and returns the energy between its beginning
// and its end. work begins when windows flow, so that both ends are measured,
// and gets a context that ends with ctx or when the measurement fails. src is
// stopped and closed.
//
// The error is that of work, as it is, or what failed in measuring, or both
// joined. The Span tells what was measured all the same: look at its Coverage.
func Energy(ctx context.Context, src Source, work func(context.Context) error) (Span, error) {
	w := StartWatch(ctx, src, new(History))
	if err := w.Flows(ctx); err != nil {
		_, serr := w.Stop()
		if errors.Is(serr, err) {
			serr = nil
		}
		return Span{}, errors.Join(fmt.Errorf("nothing was measured: %w", err), serr)
	}
	from := time.Now()
	werr := work(w.Context())
	to := time.Now()
	w.Settle(w.Context(), to, Patience) // what is missing then is told by the coverage
	_, err := w.Stop()
	if err != nil {
		werr = errors.Join(werr, err)
	}
	return w.History.Span(from, to), werr
}
