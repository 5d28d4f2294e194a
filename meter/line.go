package meter

import (
	"errors"
	"fmt"
	"sync/atomic"

	"powerspy2/internal/serial"
	"powerspy2/powerspy"
)

var (
	// ErrInUse says that another program has the serial line, or the bridge that leads to
	// the meter.
	ErrInUse = serial.ErrBusy

	// ErrSilentLine says that nothing answers on a serial line or TCP port. That need not
	// be the meter's fault: another program may be reading the answers.
	ErrSilentLine = errors.New("nothing answers on the line")
)

// LineInUse is what a bridge tells a program that comes while another has the meter,
// before it hangs up. No meter says anything of the kind.
const LineInUse = "the meter is in use by another program"

// A line is a link through something that other programs may use, too: a serial
// line or a TCP port. What a bridge says to a program that comes second ends it.
type line struct {
	powerspy.Link
	said atomic.Int32 // bytes of LineInUse that came; negative: something else did
}

// Read implements io.Reader. It returns ErrInUse once a bridge has said so.
func (l *line) Read(p []byte) (int, error) {
	n, err := l.Link.Read(p)
	said := l.said.Load()
	if said < 0 {
		return n, err
	}
	for _, c := range p[:n] {
		if c != LineInUse[said] {
			l.said.Store(-1)
			return n, err
		}
		if said++; int(said) == len(LineInUse) {
			return 0, ErrInUse
		}
	}
	l.said.Store(said)
	return n, err
}

// isLine reports whether the way to the target is one that other programs may use,
// too.
func (t Target) isLine() bool { return t.Kind == Serial || t.Kind == TCP }

// silent marks the silence of a target where another program may be reading what
// the meter says.
func (t Target) silent(err error) error {
	if t.isLine() && errors.Is(err, powerspy.ErrNoAnswer) {
		return fmt.Errorf("%w: %w", ErrSilentLine, err)
	}
	return err
}
