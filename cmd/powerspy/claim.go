package main

import (
	"errors"

	"powerspy2/internal/owner"
	"powerspy2/meter"
)

// claim takes a meter for this process, so that no second command of this user
// disturbs a measurement. On a machine without a place for locks it only says
// so: the kernel still gives a Bluetooth meter to one program at a time.
func (s *session) claim(t meter.Target) (release func() error, err error) {
	key := owner.Key(t)
	if key == "" {
		return nil, nil
	}
	release, err = owner.Claim(s.env.getenv, key, owner.Self(s.env.args))
	if err != nil && !errors.Is(err, owner.ErrHeld) {
		s.progress.Line("going on without a lock on the meter: %s", sentence(err))
		return nil, nil
	}
	return release, err
}
