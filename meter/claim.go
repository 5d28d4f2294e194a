package meter

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"strings"

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
		return none, &Error{Kind: ErrNoAnswer, Op: "connect to " + t.String(), Err: err, Next: "stop it, or wait"}
	}
	if release == nil {
		release = none
	}
	return release, nil
}

// giveBack gives a meter back after a failure, and returns that one.
func giveBack(release func() error, err error) error {
	if rerr := release(); rerr != nil {
		return fmt.Errorf("%w (and giving it back: %v)", err, rerr)
	}
	return err
}

// explainConnect is explain for connecting by Bluetooth: when another program
// holds the channel, it says which may have it.
func explainConnect(op string, err error, r radio) error {
	err = explain(op, err)
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, rfcomm.ErrBusy) {
		return err
	}
	holders, herr := r.Holders()
	if herr != nil || len(holders) == 0 {
		return err // the general advice stands
	}
	named := *e
	named.Next = "stop it, then try again (Bluetooth serial links are held by " + nameHolders(holders) + ")"
	return &named
}

// nameHolders lists processes that have RFCOMM sockets.
func nameHolders(holders []rfcomm.Holder) string {
	names := make([]string, len(holders))
	for i, h := range holders {
		uid := strconv.FormatUint(uint64(h.UID), 10)
		name := uid
		if u, err := user.LookupId(uid); err == nil {
			name = u.Username
		}
		switch {
		case h.PID != 0:
			names[i] = fmt.Sprintf("pid %d (%s, user %s)", h.PID, h.Name, name)
		case h.UID == 0:
			names[i] = "user root, which may be the Bluetooth service itself"
		default:
			names[i] = "user " + name
		}
	}
	return strings.Join(names, "; ")
}
