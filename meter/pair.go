package meter

import (
	"context"
	"errors"

	"powerspy2/bluez"
)

// usualPINs are tried in this order when no PIN was given.
var usualPINs = []string{"1234", "0000"}

// asks is how often a person may try a PIN.
const asks = 3

// pair pairs with a device and makes it trusted.
func (f *finder) pair(ctx context.Context, p place, t Target) error {
	if err := f.tryPINs(ctx, p, t); err != nil {
		return err
	}
	if err := f.daemon.SetTrusted(ctx, p.adapter.ID, p.device.Address, true); err != nil {
		return explainBlueZ("trust "+t.String(), err)
	}
	return nil
}

// tryPINs tries the given PIN, or the usual ones and then a person's.
func (f *finder) tryPINs(ctx context.Context, p place, t Target) error {
	if f.cfg.PIN != "" {
		f.cfg.report(Pairing, "pairing with %s, trying the PIN that was given", t)
		ok, err := f.tryPIN(ctx, p, t, f.cfg.PIN)
		if !ok && err == nil {
			err = pinRefused(t, GivenPIN)
		}
		return err
	}
	for _, pin := range usualPINs {
		f.cfg.report(Pairing, "pairing with %s, trying the usual PIN %s", t, pin)
		if ok, err := f.tryPIN(ctx, p, t, pin); ok || err != nil {
			return err
		}
	}
	if f.cfg.AskPIN == nil {
		return pinRefused(t, UsualPINs)
	}
	for range asks {
		pin, err := f.cfg.AskPIN(ctx, t)
		if err != nil {
			return explain("ask for the PIN of "+t.String(), err)
		}
		f.cfg.report(Pairing, "pairing with %s, trying the PIN that was typed", t)
		if ok, err := f.tryPIN(ctx, p, t, pin); ok || err != nil {
			return err
		}
	}
	return pinRefused(t, TypedPINs)
}

func pinRefused(t Target, what PINSource) error {
	return &Error{Kind: ErrPairing, Op: "pair with " + t.String(), Err: &PINError{what}}
}

// tryPIN pairs with one PIN. A PIN that the meter refused is (false, nil).
func (f *finder) tryPIN(ctx context.Context, p place, t Target, pin string) (bool, error) {
	pair := func() error {
		return f.daemon.Pair(ctx, p.adapter.ID, p.device.Address, func(context.Context) (string, error) { return pin, nil })
	}
	err := pair()
	if isUnknown(err) {
		// BlueZ forgets a device that is not paired, also while a person looks
		// for the PIN. It has to be seen again.
		if _, aerr := f.appear(ctx, t, p.adapter); aerr != nil {
			return false, aerr
		}
		err = pair()
	}
	switch {
	case err == nil, errors.Is(err, bluez.ErrAlreadyPaired):
		return true, nil
	case errors.Is(err, bluez.ErrAuthFailed), errors.Is(err, bluez.ErrAuthRejected):
		return false, nil
	case errors.Is(err, bluez.ErrAuthCanceled):
		return false, &Error{
			Kind: ErrPairing, Op: "pair with " + t.String(), Err: because("the meter broke off", err),
		}
	}
	return false, explainBlueZ("pair with "+t.String(), err)
}
