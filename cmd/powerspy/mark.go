package main

import (
	"errors"
	"fmt"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/job"
	"powerspy2/measure"
)

func (a *app) markCommand() *cli.Command {
	return &cli.Command{
		Name:  "mark",
		Usage: "begin a phase of the job that `powerspy run` measures",
		Args:  []cli.Arg{{Name: "NAME", What: "the name of a phase", Optional: true}},
		Description: `Within a command that ` + "`powerspy run`" + ` runs, this begins a phase, which lasts
until the next mark, ` + "`powerspy mark --end`" + `, or the end of the command. Writing a
line with the name to the pipe $POWERSPY_MARKS does the same.

Examples:

    powerspy mark compile
    powerspy mark --end`,
		Flags:  []*cli.Flag{{Name: "end", Usage: "end the phase, and begin none"}},
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
	err := job.Send(a.env.getenv(job.MarksVariable), m)
	switch {
	case errors.Is(err, job.ErrNoJob):
		return advise(fmt.Errorf("mark: %w", err), "it works in a command that `powerspy run` runs")
	case errors.Is(err, job.ErrEnded):
		return advise(fmt.Errorf("mark: %w", err), "mark while the command of `powerspy run` runs")
	case err != nil:
		return fmt.Errorf("mark: %w", err)
	}
	return nil
}
