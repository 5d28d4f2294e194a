package main

import (
	"fmt"

	"powerspy2/internal/cli"
	"powerspy2/meter"
)

func (a *app) doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "check everything that measuring needs, from the kernel to the meter",
		Description: `A line a check: ok, or what is wrong and what to type next. Nothing is changed.
The exit status is 0 when all is well, 4 when this machine is not ready, else
what fits.

Examples:

    powerspy doctor
    powerspy doctor --device sim:`,
		Flags:  a.globalFlags(),
		Action: a.doctor,
	}
}

func (a *app) doctor(c *cli.Context) error {
	s, err := a.session(c)
	if err != nil {
		return err
	}
	defer s.progress.End()
	var werr error
	told := false
	err = meter.Diagnose(c.Context, s.meter, func(check meter.Check) {
		s.progress.End()
		told = told || !check.OK && !check.Skipped
		if werr == nil {
			_, werr = fmt.Fprintln(a.env.stdout, checkLine(check))
		}
	})
	switch {
	case werr != nil:
		return werr
	case told && c.Context.Err() == nil:
		return &toldError{err}
	case err == nil && s.configErr != nil:
		return &toldError{s.configErr}
	}
	return err
}

func checkLine(c meter.Check) string {
	word := "FAIL"
	switch {
	case c.Skipped:
		word = "--"
	case c.OK:
		word = "ok"
	}
	line := fmt.Sprintf("%-4s %s: %s", word, c.Name, c.Detail)
	if next := nextFor(c.Err); next != "" {
		line += "; next: " + next
	}
	return line
}
