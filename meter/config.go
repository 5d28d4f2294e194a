package meter

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"powerspy2/bdaddr"
	"powerspy2/rfcomm"
)

// A Config says which meter is wanted and how to talk with the person who
// wants it. The zero Config is any meter and no questions asked.
type Config struct {
	// Target is the meter that is wanted.
	Target Target
	// Adapter restricts the search to one adapter: its identifier (hci0) or
	// its address. Empty: any.
	Adapter string
	// Remembered are the meters of earlier set-ups, the default first. They
	// are used when Target is Any or Named.
	Remembered []Target
	// PIN is the meter's PIN, 1 to 16 characters. When it is empty the usual
	// ones are tried: 1234, then 0000.
	PIN string
	// AskPIN asks a person for the PIN when the usual ones failed. Nil: there
	// is nobody to ask.
	AskPIN func(ctx context.Context, t Target) (string, error)
	// Choose asks which of several meters is meant and returns its index. Nil:
	// several meters are an error that names them.
	Choose func(ctx context.Context, found []Target) (int, error)
	// Claim is called with the meter that was found, before it is connected
	// to, and returns how to give it back, which Meter.Close does. An error
	// says who uses the meter already; nothing was connected then. Nil: the
	// meter is not claimed. So is one for which Claim returns a nil release.
	Claim func(t Target) (release func() error, err error)
	// Recall returns what was learnt of the meter at a target in an earlier run,
	// and whether anything was. A meter whose facts are known is ready sooner,
	// and another one in its place is noticed. May be nil.
	Recall func(t Target) (f Facts, ok bool)
	// Learnt is told what is to be recalled the next time, when that is not what
	// Recall returned. May be nil.
	Learnt func(t Target, f Facts)
	// Report is told what is going on. It is never called concurrently. May
	// be nil.
	Report func(Status)
	// Forerunner raises the radio link before a Bluetooth meter is connected to,
	// on kernels that may not survive a connect that fails. It is
	// rfcomm.SpawnForerunner in a program whose main begins with
	// rfcomm.ForerunnerMain. Nil: that is risked.
	Forerunner rfcomm.Forerunner
	// Trace is shown the bytes exchanged with the meter. May be nil. It must
	// not keep p.
	Trace func(sent bool, p []byte)
}

func (c *Config) report(p Phase, format string, args ...any) {
	if c.Report != nil {
		c.Report(Status{Time: time.Now(), Phase: p, Text: fmt.Sprintf(format, args...)})
	}
}

// Validate checks what can be checked before anything is opened: the form of
// Adapter, and that a PIN has up to 16 bytes. Errors match [ErrUsage].
func (c *Config) Validate() error {
	if err := checkAdapter(c.Adapter); err != nil {
		return err
	}
	if len(c.PIN) > 16 {
		return &Error{Kind: ErrPIN, Op: "PIN", Err: fmt.Errorf("longer than 16 characters")}
	}
	return nil
}

// checkAdapter accepts hciN and addresses.
func checkAdapter(s string) error {
	if s == "" {
		return nil
	}
	if n, ok := strings.CutPrefix(s, "hci"); ok {
		if v, err := strconv.ParseUint(n, 10, 15); err == nil && strconv.FormatUint(v, 10) == n {
			return nil
		}
	} else if _, err := bdaddr.Parse(s); err == nil {
		return nil
	}
	return &Error{Kind: ErrAdapter, Op: fmt.Sprintf("adapter %q", s), Err: fmt.Errorf("not the name or address of an adapter")}
}
