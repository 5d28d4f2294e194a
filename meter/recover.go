package meter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"powerspy2/rfcomm"
)

// A RecoverConfig says how to recover a meter by hand.
type RecoverConfig struct {
	Recovery      // GiveUpAfter has no meaning here
	From, To Step // the first and the last step to take; zero: the first and the last there are
	DryRun   bool // say what would be done
}

// Recover recovers a meter that has stopped measuring: it takes one step after
// the other, once, and reports what it does and sees. It does nothing with a meter
// that is measuring, unless From is set. The error is nil when the meter
// measures; otherwise it says what a person has to do, and matches [ErrNoAnswer]
// when that is to cut the meter's power for a moment. From behind To is
// [ErrUsage].
func Recover(ctx context.Context, cfg Config, rc RecoverConfig, report func(Status)) error {
	return recoverMeter(ctx, cfg, rc, report, system)
}

func recoverMeter(ctx context.Context, cfg Config, rc RecoverConfig, report func(Status), h host) (err error) {
	from, to := cmp.Or(rc.From, firstStep), cmp.Or(rc.To, lastStep)
	if from > to {
		return &Error{Kind: ErrStepOrder, Op: "recover", Err: fmt.Errorf("step %d (%s) comes after step %d (%s)", from, from, to, to)}
	}
	route, err := knownRoute(ctx, cfg, h)
	if err != nil {
		return err
	}
	release, err := cfg.claim(route.target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	r := newRecoverer(route, StreamConfig{}, rc.Recovery)
	r.byHand = true
	c := &handRecovery{recoverer: r, report: report}
	if err := c.recover(ctx, from, to, rc); err != nil {
		return errors.Join(err, r.close())
	}
	return r.close()
}

// knownRoute is resolve, but for a remembered Bluetooth meter it needs neither
// the service nor the adapter, which may be what is to be recovered.
func knownRoute(ctx context.Context, cfg Config, h host) (*route, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if t, ok := recall(cfg.Target, cfg.Remembered); ok && t.Kind == Bluetooth && !t.Adapter.IsZero() && cfg.Adapter == "" {
		cfg.Report = nil
		return &route{cfg: cfg, host: h, finding: finding{target: t, trusted: true}}, nil
	}
	r, err := resolve(ctx, cfg, h)
	if r != nil {
		r.cfg.Report = nil
	}
	return r, err
}

// A handRecovery is a recovery by hand.
type handRecovery struct {
	recoverer *meterRecoverer
	report    func(Status)
}

func (c *handRecovery) say(p Phase, s Step, format string, args ...any) {
	c.report(Status{Time: time.Now(), Phase: p, Step: s, Text: fmt.Sprintf(format, args...)})
}

func (c *handRecovery) recover(ctx context.Context, from, to Step, rc RecoverConfig) error {
	t := c.recoverer.route.target
	var reason error
	if rc.From == 0 || rc.DryRun {
		c.say(Checking, 0, "checking whether %s measures", t)
		src, err := c.recoverer.take(ctx, Reconnect)
		if ctx.Err() != nil {
			return err
		}
		if err == nil {
			c.say(Streaming, 0, "%s measures; there is nothing to recover", t)
			return src.Stop(ctx)
		}
		c.say(Stalled, 0, "%s", why(err))
		if IsFinal(err) {
			return err
		}
		reason = err
	}
	if err := c.recoverer.began(ctx); err != nil {
		return err
	}
	c.recoverer.byHand = true
	l := newLadder(from, to)
	for {
		step, ok := l.next()
		if !ok {
			break
		}
		what := fmt.Sprintf("step %d, %s", step, step)
		if not := c.recoverer.refuse(ctx, step, reason); not != "" {
			c.say(Recovering, step, "%s: skipped: %s", what, not)
			continue
		}
		if rc.DryRun {
			c.say(Recovering, step, "%s: would be next: %s", what, stepKinds[step].doing)
			continue
		}
		c.say(Recovering, step, "%s: %s", what, stepKinds[step].doing)
		src, err := c.recoverer.take(ctx, step)
		if err == nil {
			c.say(Streaming, step, "%s: it helped; %s measures", what, t)
			return src.Stop(ctx)
		}
		if ctx.Err() != nil || IsFinal(err) {
			return err
		}
		c.say(Stalled, step, "%s: did not help: %s", what, why(err))
		reason = err
	}
	return unrecovered(t, rc.DryRun, reason)
}

// unrecovered says what is left for a person to do.
func unrecovered(t Target, dry bool, reason error) error {
	op := "recover " + t.String()
	switch {
	case reason == nil && dry:
		return nil
	case reason == nil:
		return &Error{Kind: ErrNoAnswer, Op: op, Err: ErrNoStep}
	case errors.Is(reason, ErrNotReady), errors.Is(reason, rfcomm.ErrBusy), errors.Is(reason, rfcomm.ErrOccupied),
		errors.Is(reason, ErrInUse), errors.Is(reason, ErrSilentLine):
		return reason
	}
	return &Error{Kind: ErrNoAnswer, Op: op, Err: fmt.Errorf("%w: %s", ErrNoStepHelped, why(reason))}
}
