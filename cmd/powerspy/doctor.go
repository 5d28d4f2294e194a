package main

import (
	"cmp"
	"fmt"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/field"
	"powerspy2/internal/result"
	"powerspy2/meter"
)

func (a *app) doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "check everything that measuring needs, from the kernel to the meter",
		Description: `A line a check: ok, or what is wrong and what to type next. Nothing is changed.
The exit status is 0 when all is well, 4 when this machine is not ready, else
what fits.

With --stream the meter then measures for some seconds with windows of 1, 2, 5
and 10 mains periods, and a table tells of each how many frames a second came,
how many windows were left out or came damaged, how late frames were (median,
95 and 99 % of them), how wrong the first one was, and the mains frequency. The
share left out follows the Bluetooth adapter, which is named; below the table
stands what would do better. --format json is for reports; the device's address
is in it (powerspy fieldtest leaves it out).

Examples:

    powerspy doctor
    powerspy doctor --stream --duration 1m
    powerspy doctor --device sim: --stream --format json`,
		Flags: append([]*cli.Flag{
			{Name: "stream", Usage: "measure how well the meter streams"},
			{Name: "duration", Takes: cli.Duration{Examples: "20s, 1m"}, Default: "20s", Usage: "with --stream, `TIME` for all lengths of window"},
			{Name: "format", Aliases: []string{"f"}, Takes: cli.Choice{"text", "json"}, Default: "text", Usage: "write `FORMAT`: text or json"},
		}, a.globalFlags()...),
		Action: a.doctor,
	}
}

func (a *app) doctor(c *cli.Context) error {
	if c.IsSet("duration") && !c.Bool("stream") {
		return c.Usagef("--duration needs --stream")
	}
	duration := cmp.Or(c.Duration("duration"), streamTime)
	if duration < shortestStream {
		return c.Usagef("--duration %v is below %v", duration, shortestStream)
	}
	s, err := a.session(c)
	if err != nil {
		return err
	}
	defer s.progress.End()
	d := &diagnosis{session: s, text: c.String("format") != "json"}
	err = d.check(c)
	if err == nil && c.Bool("stream") {
		err = d.stream(c.Context, duration)
	}
	if !d.text {
		if werr := result.Write(d.session.env.stdout, d.report); werr != nil {
			return werr
		}
	}
	return err
}

// A diagnosis is what the doctor finds.
type diagnosis struct {
	session *session
	text    bool // as it is found; else as JSON in the end
	report  doctorReport
}

// doctorReport is the machine-readable form, with units in its names.
type doctorReport struct {
	Program string         `json:"program"`
	Device  string         `json:"device"`
	Checks  []doctorCheck  `json:"checks"`
	Adapter *field.Adapter `json:"adapter,omitempty"`
	BlueZ   string         `json:"bluez,omitempty"`
	Mains   float64        `json:"mains_frequency_hz,omitempty"`
	Streams []doctorStream `json:"streams,omitempty"`
	Advice  []string       `json:"advice,omitempty"`
}

type doctorCheck struct {
	Name   string `json:"name"`
	Result string `json:"result"` // ok, failed or skipped
	Detail string `json:"detail"`
	Next   string `json:"next,omitempty"`
}

type doctorStream struct {
	field.Outcome
	Periods int          `json:"periods"`
	Hertz   float64      `json:"mains_hz"`
	First   *doctorFirst `json:"first_frame,omitempty"`
	field.Figures
}

type doctorFirst struct {
	Factor    float64 `json:"factor"` // of its mean squares and mean power
	PeakRight bool    `json:"peak_right"`
}

// check makes the checks.
func (d *diagnosis) check(c *cli.Context) error {
	s := d.session
	d.report.Program, d.report.Device = versionText(), s.meter.Target.Device()
	var werr error
	told := false
	err := meter.Diagnose(c.Context, s.meter, func(check meter.Check) {
		s.progress.End()
		told = told || !check.OK && !check.Skipped
		line := doctorCheck{check.Name, "failed", check.Detail, nextFor(check.Err)}
		switch {
		case check.Skipped:
			line.Result = "skipped"
		case check.OK:
			line.Result = "ok"
		}
		d.report.Checks = append(d.report.Checks, line)
		if d.text && werr == nil {
			_, werr = fmt.Fprintln(s.env.stdout, checkLine(check))
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

const (
	// streamTime is how long streams are watched unless told otherwise, and
	// streamShare how long each length of window gets at least.
	streamTime     = 20 * time.Second
	streamShare    = 5 * time.Second
	shortestStream = time.Second
)

// streamLengths are the windows, in mains periods, that the doctor tries.
var streamLengths = []int{1, 2, 5, 10}
