package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/screen"
	"powerspy2/meter"
)

// scanTime is enough for an inquiry and the names of what it found.
const scanTime = 15 * time.Second

func (a *app) scanCommand() *cli.Command {
	return &cli.Command{
		Name:  "scan",
		Usage: "list the meters that are paired or in reach",
		Description: `A line appears as soon as a meter does, and once more when what is known of it
changes. A meter tells its name some seconds after its address, and is known
for a PowerSpy only then; --all shows also what is not a PowerSpy or has no name
yet. All adapters listen; where there are several, those that hear or know a
device stand behind its name.

Example:

    powerspy scan --all --duration 30s`,
		Flags: append([]*cli.Flag{
			{Name: "duration", Takes: cli.Duration{Examples: "10s, 1m"}, Default: "15s", Usage: "`TIME` to listen: 10s, 1m..."},
			{Name: "all", Aliases: []string{"a"}, Usage: "list all devices, not only meters"},
		}, a.globalFlags()...),
		Action: a.scan,
	}
}

func (a *app) scan(c *cli.Context) error {
	duration := cmp.Or(c.Duration("duration"), scanTime)
	s, err := a.session(c)
	if err != nil {
		return err
	}
	defer s.progress.End()
	list := &scanList{session: s, all: c.Bool("all")}
	// Writing fails when nobody reads any more: then listening is over, too.
	ctx, cancel := context.WithCancel(c.Context)
	defer cancel()
	ctx, cancelTime := context.WithTimeout(ctx, duration)
	defer cancelTime()
	list.stop = cancel
	s.progress.Report(meter.Status{Phase: meter.Discovering, Text: fmt.Sprintf("listening for %v", duration)})
	err = meter.Scan(ctx, s.meter, list.add)
	s.progress.End()
	switch {
	case list.err != nil:
		return list.err
	case interrupted(c.Context, err):
		return nil
	case err != nil:
		return err
	case list.lines == 0:
		err := &meter.Error{Kind: meter.ErrNotFound, Op: "scan", Err: errors.New("no PowerSpy found in " + duration.String())}
		return advise(err, "check that it has power and is within about ten metres; `powerspy scan --all` lists other devices too")
	}
	return nil
}

// scanList prints what a scan finds.
type scanList struct {
	session *session
	all     bool
	stop    func()
	lines   int
	err     error
}

const scanLayout = "%-17s  %8s  %-24s  %s\n"

func (l *scanList) add(c meter.Candidate) {
	if !c.PowerSpy && !l.all || l.err != nil {
		return
	}
	signal := "-"
	if c.InRange {
		signal = fmt.Sprintf("%d dBm", c.RSSI)
	}
	var state []string
	for _, s := range []struct {
		is   bool
		name string
	}{{c.Paired, "paired"}, {c.Trusted, "trusted"}, {c.Connected, "connected"}} {
		if s.is {
			state = append(state, s.name)
		}
	}
	if len(state) == 0 {
		state = []string{"new"}
	}
	name := c.Target.Name
	if name == "" {
		name = "(no name yet)"
	}
	if c.Via != "" {
		name += " (" + c.Via + ")"
	}
	if l.lines == 0 {
		l.print("ADDRESS", "SIGNAL", "STATE", "NAME")
	}
	l.lines++
	l.print(c.Target.Address.String(), signal, strings.Join(state, ","), name)
}

func (l *scanList) print(address, signal, state, name string) {
	if l.err != nil {
		return
	}
	e := l.session.env
	line := fmt.Sprintf(scanLayout, address, signal, state, name)
	l.session.progress.GiveWay(func() {
		_, l.err = io.WriteString(e.stdout, screen.FitLines(line, e.columns()))
	})
	if l.err != nil {
		l.stop()
	}
}
