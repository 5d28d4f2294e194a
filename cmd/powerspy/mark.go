package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/job"
	"powerspy2/internal/serve/client"
	"powerspy2/measure"
	"powerspy2/meter"
)

func (a *app) markCommand() *cli.Command {
	return &cli.Command{
		Name:  "mark",
		Usage: "begin a phase of the job that `powerspy run` measures, or mark a moment at a server",
		Args:  []cli.Arg{{Name: "NAME", What: "the name of a phase", Optional: true}},
		Description: `Within a command that ` + "`powerspy run`" + ` runs, this begins a phase, which lasts
until the next mark, ` + "`powerspy mark --end`" + `, or the end of the command. Writing a
line with the name to the pipe $POWERSPY_MARKS does the same.

With --device the mark is set at a meter of powerspy serve, for all who read it: on
its page, in recordings that measure --record makes through it. That is the meter at
a server, or one that a server on this machine has.

Examples:

    powerspy mark compile
    powerspy mark --end
    powerspy mark --device unix:/run/powerspy/powerspy.sock "new fan"`,
		Flags:  slices.Concat([]*cli.Flag{{Name: "end", Usage: "end the phase, and begin none"}}, serverFlags(), a.globalFlags()),
		Action: a.mark,
	}
}

func (a *app) mark(c *cli.Context) error {
	m := measure.Mark{Time: time.Now(), Name: c.Arg(0), End: c.Bool("end")}
	switch {
	case m.End && m.Name != "":
		return c.Usagef("give NAME or --end, not both")
	case !m.End && m.Name == "":
		return c.Usagef("mark needs the name of a phase, or --end")
	case !m.End:
		if err := measure.CheckName(m.Name); err != nil {
			return c.Usagef("%w", err)
		}
	}
	pipe := a.env.getenv(job.MarksVariable)
	if c.IsTyped(deviceFlag) || c.IsSet(deviceFlag) && pipe == "" {
		return a.markServed(c, m)
	}
	return marked(job.Send(pipe, m))
}

// marked says what to do about the error of a mark for a job.
func marked(err error) error {
	switch {
	case errors.Is(err, job.ErrNoJob):
		return advise(fmt.Errorf("mark: %w", err), "it works in a command that `powerspy run` runs, and with --device SERVER")
	case errors.Is(err, job.ErrEnded):
		return advise(fmt.Errorf("mark: %w", err), "mark while the command of `powerspy run` runs")
	case err != nil:
		return fmt.Errorf("mark: %w", err)
	}
	return nil
}

// markServed sets a mark at a server.
func (a *app) markServed(c *cli.Context, m measure.Mark) error {
	s, err := a.session(c)
	if err != nil {
		return err
	}
	t := s.meter.Meant()
	server := t.Server
	if t.Kind != meter.Served {
		var ok bool
		server, ok = s.serverOf(c.Context, t)
		switch {
		case ok:
		case !c.IsTyped(deviceFlag): // the meter of other commands, by $POWERSPY_DEVICE
			return marked(job.Send("", m))
		default:
			return c.Usagef("--device %s is no server, and none on this machine has it: a mark is set at a server (unix:PATH or https://HOST:PORT), or in a command that `powerspy run` runs", c.String(deviceFlag))
		}
	}
	login, err := s.login(server)
	if err != nil {
		return err
	}
	to := client.New(login)
	defer to.Close()
	return to.SetMark(c.Context, m)
}
