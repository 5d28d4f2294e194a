package meter

import (
	"errors"
	"fmt"

	"powerspy2/rfcomm"
)

// claim takes a meter for this process before it is connected to. The returned
// function gives it back; it is never nil.
func (c *Config) claim(t Target) (release func() error, err error) {
	none := func() error { return nil }
	if c.Claim == nil {
		return none, nil
	}
	release, err = c.Claim(t)
	if err != nil {
		return none, &Error{Kind: ErrNoAnswer, Op: "connect to " + t.String(), Err: err}
	}
	if release == nil {
		release = none
	}
	return release, nil
}

// unclaim gives a meter back after a failure, and returns that one.
func unclaim(release func() error, err error) error {
	if rerr := release(); rerr != nil {
		return fmt.Errorf("%w (and giving it back: %v)", err, rerr)
	}
	return err
}

// explainConnect is explain for connecting by Bluetooth: when another program
// holds the channel, it says which may have it.
func explainConnect(op string, err error, r radio) error {
	if !errors.Is(err, rfcomm.ErrBusy) {
		return explain(op, err)
	}
	holders, herr := r.Holders()
	if herr != nil {
		holders = nil // it is somebody
	}
	return &Error{Kind: ErrNoAnswer, Op: op, Err: &reason{&BusyError{holders}, err}}
}
