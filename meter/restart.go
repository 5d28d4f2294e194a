package meter

import (
	"context"
	"errors"
	"time"

	"powerspy2/powerspy"
)

// start starts a stream on the existing link, and waits for its first
// window. Where the meter can't keep up with windows as short as that, longer
// ones are tried in turn.
func (r *meterRecoverer) start(ctx context.Context) (source, error) {
	if r.periods == 0 {
		r.periods = r.sc.averaging(r.m.info.Frequency, r.route.averaging)
	}
	tried := false
	for {
		longer := 0
		if !r.worked {
			longer = r.longer()
		}
		s, err := r.begin(ctx, longer == 0)
		if err == nil {
			r.worked = true
			if tried {
				r.route.keepsUp(r.periods)
			}
			return s, nil
		}
		switch {
		case !tooShort(err) || ctx.Err() != nil:
			return nil, err
		case longer == 0 && !r.worked && r.sc.Averaging == 0 && r.sc.Interval > 0 && r.sc.Interval < time.Second:
			return nil, noLonger(err, r.sc.Interval)
		case longer == 0:
			return nil, err
		}
		tried = true
		r.notes = append(r.notes, otherWindows(r.periods, longer, err))
		r.periods = longer
	}
}

// begin starts a stream and waits for its first window. It is the last try, or
// not. Whatever it started it stops when it fails.
func (r *meterRecoverer) begin(ctx context.Context, last bool) (*Stream, error) {
	s, err := r.m.stream(ctx, r.sc, r.periods, r.timeline)
	if err != nil {
		return nil, err
	}
	if last && !r.worked && r.sc.Averaging == 0 && r.periods > averagings[0] {
		s.patience = lastFirstFrame
	}
	s.quality.switches = r.longer() != 0 || r.sc.Averaging == 0 && len(r.trials) > 0
	if err := s.prime(); err != nil {
		if !errors.Is(err, powerspy.ErrLink) {
			r.m.stopStray(ctx)
		}
		return nil, err
	}
	return s, nil
}

// lengthen goes on with longer windows, where the stream that there is leaves
// too many out; after the longest ones, with those that were left out least. On
// an error there is no stream.
func (r *meterRecoverer) lengthen(ctx context.Context, cause error) (source, error) {
	if left, ok := errors.AsType[*leftOutError](cause); ok {
		r.trials[r.periods] = left.share
	}
	longer := r.longer()
	if longer == 0 {
		r.periods = r.trials.best()
		r.sc.Averaging = r.periods // no more trials
		r.notes = append(r.notes, settledOn(r.periods, r.trials[r.periods]))
	} else {
		r.notes = append(r.notes, otherWindows(r.periods, longer, errLeftOut))
		r.periods = longer
	}
	r.route.keepsUp(r.periods)
	if err := r.m.client.Stop(ctx); err != nil {
		return nil, explain("measure with "+r.route.target.String(), err)
	}
	return r.start(ctx)
}

// longer returns the next longer windows to try; 0: there are none.
func (r *meterRecoverer) longer() int {
	return r.sc.longer(r.periods, r.m.info.Frequency, r.m.info.Identity.Generation())
}

func (r *meterRecoverer) averaging() int { return r.periods }
