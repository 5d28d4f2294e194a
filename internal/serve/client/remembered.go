package client

import (
	"context"
	"errors"
	"time"

	"powerspy2/internal/serve/api"
	"powerspy2/meter"
	"powerspy2/record"
)

// ErrNothing is a server that remembers nothing of a meter.
var ErrNothing = errors.New("the server remembers nothing that the meter measured")

// ErrTooMuch is a server that tells more than any remembers.
var ErrTooMuch = errors.New("it tells more than a server can remember")

// maxRemembered bounds what is read of what a server remembers, in bytes: a window
// has some 450, of which up to 60 come each second of api.LongestMemory.
const maxRemembered = 16 << 30

// lull is for how long a server may tell nothing before it is taken to have told all.
const lull = 2 * time.Second

// Remembered writes all that the server remembers of the meter that is named, or of the
// only one, up to now and by the server's clock, and returns which meter that is. Errors
// are those of out, or as those of [Open], with [ErrNothing] and [ErrTooMuch] as causes.
func (c *Client) Remembered(ctx context.Context, out *record.File) (api.Meter, error) {
	m, err := c.Meter(ctx)
	if err != nil {
		return m, err
	}
	var there api.Time
	if err := c.get(ctx, api.Clock, &there); err != nil {
		return m, explain(c.op("connect to"), err)
	}
	s, err := c.events(ctx, m.Name, time.Unix(0, 0), answerTime, c.most)
	if err != nil {
		return m, err
	}
	defer s.close()
	begun := false
	for l := (&record.Line{Kind: record.HeaderLine, Header: s.header}); ; {
		switch {
		case l.Kind == record.HeaderLine && l.Header.Averaging > 0:
			begun, err = true, out.Begin(l.Header)
		case !begun: // the meter was not reached yet
		case l.Kind == record.MarkLine:
			err = out.Mark(l.Mark)
		case l.Kind == record.EventLine:
			err = out.Event(&l.Event)
		}
		if err != nil {
			return m, err
		}
		if l.Kind == record.EventLine && l.Event.Kind == meter.WindowEvent && !l.Event.Window.End.Before(there.Transmit.Time) {
			break
		}
		s.within(lull)
		if l, err = s.next(); err != nil {
			if s.late.Load() {
				break
			}
			if errors.Is(err, ErrTooMuch) {
				return m, explain(c.op("read"), ErrTooMuch)
			}
			return m, explain(c.op("read"), broke(err))
		}
	}
	if !begun {
		return m, explain(c.op("read"), ErrNothing)
	}
	return m, nil
}
