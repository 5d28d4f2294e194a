package meter

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
)

// A forgedLink changes the answers of a meter, each of which comes with one read.
type forgedLink struct {
	powerspy.Link
	forge func(answer string) string
	rest  []byte
}

func (l *forgedLink) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		buf := make([]byte, 1<<16)
		n, err := l.Link.Read(buf)
		if err != nil {
			return 0, err
		}
		for _, part := range bytes.SplitAfter(buf[:n], []byte(">")) {
			answer := strings.TrimLeft(string(part), "\r\n")
			if answer != "" {
				answer = l.forge(answer)
			}
			l.rest = append(l.rest, answer...)
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// A forged is a meter behind a forgedLink.
type forged struct {
	*Meter
	route     *route
	simulator *sim.Meter
}

// openForged opens a simulated meter whose answers are forged.
func openForged(t *testing.T, cfg sim.Config, forge func(answer string) string) forged {
	t.Helper()
	f := forged{route: &route{finding: finding{target: Target{Kind: Simulated}}}, simulator: sim.New(cfg)}
	if err := f.reopen(t, forge); err != nil {
		t.Fatal(err)
	}
	return f
}

// reopen makes another link to the meter, which it closes at the end of the test.
func (f *forged) reopen(t *testing.T, forge func(answer string) string) error {
	t.Helper()
	if f.Meter != nil {
		_ = f.Meter.Close()
	}
	l, err := f.simulator.Dial(context.Background())
	if err != nil {
		return err
	}
	f.Meter, err = f.route.initialised(t.Context(), &forgedLink{Link: l, forge: forge})
	if err == nil {
		t.Cleanup(func() { _ = f.Meter.Close() })
	}
	return err
}
