package main

import (
	"errors"
	"fmt"

	"powerspy2/internal/owner"
	"powerspy2/internal/shell"
	"powerspy2/meter"
)

// claim takes a meter for this process, so that no second command of this user
// disturbs a measurement.
func (s *session) claim(t meter.Target) (release func() error, err error) {
	return s.take("the meter", owner.Key(t))
}

// claimFile takes the file of --output for this process.
func (s *session) claimFile(key string) (release func() error, err error) {
	release, err = s.take("the file", key)
	if err != nil {
		err = advise(err, "stop it, or give another file")
	}
	return release, err
}

// take takes what has this key. On a machine without a place for locks it only
// says so: measuring does not depend on it, and the kernel still gives a
// Bluetooth meter to one program at a time.
func (s *session) take(what, key string) (release func() error, err error) {
	return s.takeAs(what, key, owner.Self(s.env.args))
}

// takeAs is take, with what others are told of this process.
func (s *session) takeAs(what, key string, me owner.Holder) (release func() error, err error) {
	if key == "" {
		return nil, nil
	}
	release, err = owner.Claim(s.env.getenv, key, me)
	if errors.Is(err, owner.ErrHeld) {
		return nil, err
	}
	if err != nil {
		s.progress.Line("continuing without a lock on %s: %s", what, sentence(err))
		return nil, nil
	}
	return release, nil
}

// placeAdvice says what to do about a directory of the locks that is none, and
// who has to.
func placeAdvice(e *owner.PlaceError) string {
	const own = "set XDG_RUNTIME_DIR to a directory that only you may enter"
	switch {
	case e.Owner != "":
		return fmt.Sprintf("ask %s, or an administrator, to remove it, or %s", e.Owner, own)
	case e.Open:
		return "type `chmod 700 " + shell.Quote(e.Path) + "`"
	}
	return own
}
