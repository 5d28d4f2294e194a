package meter

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"powerspy2/bluez"
)

// usualPINs are tried in this order when no PIN was given.
var usualPINs = []string{"1234", "0000"}

// asks is how often a person may try a PIN.
const asks = 3

// pairOrNot pairs with a device. One that refuses every PIN, or to pair at all, is
// tried once without, as the first meters were used for years.
func (f *finder) pairOrNot(ctx context.Context, s sighting, t Target) (unpaired bool, err error) {
	err = f.pair(ctx, s, t)
	var refused *PINError
	if !errors.As(err, &refused) || ctx.Err() != nil {
		return false, err
	}
	f.cfg.report(Connecting, "%s refuses to pair; trying to connect without", t)
	t.Unpaired = true
	l, lerr := f.cfg.dialChannel(ctx, f.host.radio, &t)
	if lerr != nil {
		return false, err // it wants to be paired with, then
	}
	if err := l.Close(); err != nil {
		return false, explain("close "+t.String(), err)
	}
	f.cfg.report(Connecting, "%s is used without pairing: others in reach of it could do the same, and listen", t)
	return true, nil
}

// pair pairs with a device, which it does not trust yet: what it is, only its
// answers tell. One that shows to be something else as soon as it is paired is
// forgotten.
func (f *finder) pair(ctx context.Context, s sighting, t Target) error {
	if err := f.tryPINs(ctx, s, t); err != nil {
		return err
	}
	known, err := f.known(ctx, []bluez.Adapter{s.adapter})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(known, func(k sighting) bool { return k.device.Address == t.Address })
	if i < 0 {
		return nil // forgotten by somebody else, which connecting will tell
	}
	what := otherServices(known[i].device)
	if what == "" {
		return nil
	}
	if err := f.daemon.Remove(ctx, s.adapter.ID, t.Address); err != nil && !isUnknown(err) {
		return explainBlueZ("forget "+t.String(), err)
	}
	return &Error{Kind: ErrNotFound, Op: "pair with " + t.String(), Err: &ImpostorError{t, what}}
}

// tryPINs tries the given PIN, or the usual ones and then a person's.
func (f *finder) tryPINs(ctx context.Context, s sighting, t Target) error {
	if f.cfg.PIN != "" {
		f.cfg.report(Pairing, "pairing with %s, trying the PIN that was given", t)
		refusal, err := f.tryPIN(ctx, s, t, f.cfg.PIN)
		return pinRefused(t, GivenPIN, refusal, err)
	}
	var refusal error
	pairable := false
	for _, pin := range usualPINs {
		f.cfg.report(Pairing, "pairing with %s, trying the usual PIN %s", t, pin)
		var err error
		if refusal, err = f.tryPIN(ctx, s, t, pin); refusal == nil {
			return err
		}
		pairable = pairable || !errors.Is(refusal, bluez.ErrAuthRejected)
	}
	if f.cfg.AskPIN == nil || !pairable {
		return pinRefused(t, UsualPINs, refusal, nil)
	}
	for range asks {
		pin, err := f.cfg.AskPIN(ctx, t)
		if err != nil {
			return explain("ask for the PIN of "+t.String(), err)
		}
		f.cfg.report(Pairing, "pairing with %s, trying the PIN that was typed", t)
		if refusal, err = f.tryPIN(ctx, s, t, pin); refusal == nil {
			return err
		}
	}
	return pinRefused(t, TypedPINs, refusal, nil)
}

// pinRefused is the error of a pairing whose PIN was refused, else err.
func pinRefused(t Target, what PINSource, refusal, err error) error {
	if refusal == nil {
		return err
	}
	return &Error{Kind: ErrPairing, Op: "pair with " + t.String(), Err: &PINError{what, refusal}}
}

// tryPIN pairs with one PIN. A meter that does not take the PIN, or broke off
// after it had got it, is a refusal; anything else that goes wrong an error.
func (f *finder) tryPIN(ctx context.Context, s sighting, t Target, pin string) (refusal, err error) {
	var handedOver atomic.Bool
	pair := func() error {
		return f.daemon.Pair(ctx, s.adapter.ID, t.Address, func(context.Context) (string, error) {
			handedOver.Store(true)
			return pin, nil
		})
	}
	err = pair()
	if isUnknown(err) {
		// BlueZ forgets a device that is not paired, also while a person looks
		// for the PIN. It has to be seen again.
		if _, aerr := f.appear(ctx, t, s.adapter); aerr != nil {
			return nil, aerr
		}
		err = pair()
	}
	switch {
	case err == nil, errors.Is(err, bluez.ErrAlreadyPaired):
		return nil, nil
	case errors.Is(err, bluez.ErrAuthFailed), errors.Is(err, bluez.ErrAuthRejected),
		errors.Is(err, bluez.ErrAuthCanceled) && handedOver.Load():
		return err, nil
	case errors.Is(err, bluez.ErrAuthCanceled):
		return nil, &Error{Kind: ErrPairing, Op: "pair with " + t.String(), Err: because("the meter broke off", err)}
	}
	return nil, explainBlueZ("pair with "+t.String(), err)
}
