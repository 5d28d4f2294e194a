package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/energy"
)

// Exit statuses of run beside those of the command, as env(1) and timeout(1) have
// them.
const (
	ownFailure    = 125
	notExecutable = 126
	notFound      = 127
)

// jobHelp is what a usage error of run says to type.
const jobHelp = "powerspy run --help"

// A jobExit is the exit status of run. It has an error where there is one to tell.
type jobExit struct {
	status int
	err    error
}

func (e *jobExit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *jobExit) Unwrap() error { return e.err }

func (a *app) runCommand() *cli.Command {
	return &cli.Command{
		Name:         "run",
		Usage:        "run a command, and tell the energy that it took",
		Args:         []cli.Arg{{Name: "COMMAND", What: "a command", Optional: true, Repeats: true}},
		ArgsEndFlags: true,
		Description: `Connects to the meter, runs COMMAND, and tells how many joules went through the
meter meanwhile, and how uncertain that is: the number behind +- is about two
standard deviations. All that the meter feeds counts, not COMMAND alone:
--baseline tells what is above the idle machine, too.

COMMAND has the terminal, its standard streams and Ctrl-C as if it were alone.
The report goes to standard error.

Phases: a mark begins a phase, which lasts until the next one. COMMAND marks
by printing a line (--phases, --phase-pattern), by ` + "`powerspy mark NAME`" + `, or by
writing a line with the name to the pipe $POWERSPY_MARKS.

Exit status: that of COMMAND; 128 and the signal that killed it; 125 powerspy
failed and did not run it, 126 it can't be executed, 127 it was not found.

Examples:

    powerspy run -- make -j4
    powerspy run --phases --format json --output run.json -- ./train.sh
    powerspy run --baseline measure:1m --per 1000=request -- ./load-test
    powerspy run --duration 1m
    powerspy run --device sim:load=cpu -- sh -c 'sleep 1; gzip -9 </bin/sh'`,
		Flags: append(append(append([]*cli.Flag{
			{Name: "duration", Takes: cli.Duration{Examples: "10s, 5m, 1h30m"}, Usage: "without COMMAND: measure for `TIME`"},
			{Name: "pid", Takes: cli.Count{Min: 1}, Usage: "without COMMAND: measure until process `PID` has ended"},
			{Name: formatFlag, Aliases: []string{"f"}, Takes: resultFormats, Default: "text", Usage: "write the report as `FORMAT`: text, json or csv"},
			outputTo("write the report to `FILE`, which is replaced; - is standard output"),
			{Name: "anyway", Usage: "run COMMAND also when nothing can be measured"},
			{Name: "phases", Category: phasesCategory, Usage: "phases from lines of standard output such as __COMPILE__"},
			{Name: "phase-pattern", Category: phasesCategory, Takes: patternValue{}, Usage: "phases from lines that match `REGEX`, whose first group is the name"},
			{Name: "actions", Category: phasesCategory, Takes: cli.File{}, Usage: "write the phases to `FILE`, as KDE's OSCAR reads actions"},
			aboveIdle(),
			{Name: "cost", Category: answersCategory, Takes: factorValue{example: "0.32/kWh"}, Usage: "tell the cost at `PRICE`: 0.32/kWh"},
			{Name: "carbon", Category: answersCategory, Takes: factorValue{example: "380g/kWh", mass: true}, Usage: "tell the emissions at `FACTOR`: 380g/kWh"},
			{Name: "per", Category: answersCategory, Takes: workValue{}, Usage: "tell the energy per unit of work: `N=UNIT`, 1000=request"},
			accuracyClass(), linkDelay(),
			recordTo(), pinFile(), pin(),
		}, jobStreamFlags()...), recoveryFlags()...), a.globalFlags()...),
		Action: func(c *cli.Context) error {
			status, err := a.runJob(c)
			if status == 0 && err == nil {
				return nil
			}
			if errors.Is(err, context.Canceled) && len(c.Args()) == 0 {
				err = errors.New("interrupted before it began")
			}
			return &jobExit{status, err}
		},
	}
}

// resultFormats are the formats of a report.
var resultFormats = cli.Choice{"text", "json", "csv"}

const (
	formatFlag      = "format"
	phasesCategory  = "Phases"
	answersCategory = "More answers"
)

// A jobPlan is what run was asked for.
type jobPlan struct {
	command  []string // none: a process or a time
	pid      int
	duration time.Duration

	format  string
	output  newFile // no name: standard error
	actions newFile // no name: none
	anyway  bool
	pattern *regexp.Regexp // nil: standard output is not looked at
	cost    *energy.Factor
	carbon  *energy.Factor
	work    *energy.Work
	watchPlan
}

// parseRun reads the flags. What can be checked before a meter is woken is.
func (a *app) parseRun(c *cli.Context) (*jobPlan, error) {
	p := &jobPlan{
		command: c.Args(), pid: c.Int("pid"), duration: c.Duration("duration"),
		format: "text", anyway: c.Bool("anyway"),
	}
	ways := 0
	for _, given := range []bool{len(p.command) > 0, c.IsSet("pid"), c.IsSet("duration")} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return nil, c.Usagef("run needs a command, --pid or --duration")
	case ways > 1:
		return nil, c.Usagef("give one of a command, --pid and --duration")
	}
	if len(p.command) == 0 {
		for _, f := range []string{"anyway", "phases", "phase-pattern"} {
			if c.IsSet(f) {
				return nil, c.Usagef("--%s needs a command", f)
			}
		}
	}
	if c.IsSet(formatFlag) {
		p.format = c.String(formatFlag)
	}
	if c.Bool("phases") {
		p.pattern = usualPhases
	}
	if c.IsSet("phase-pattern") {
		if p.pattern != nil {
			return nil, c.Usagef("give --phases or --phase-pattern, not both")
		}
		p.pattern = cli.Value[*regexp.Regexp](c, "phase-pattern")
	}
	if c.IsSet("cost") {
		p.cost = new(cli.Value[energy.Factor](c, "cost"))
	}
	if c.IsSet("carbon") {
		p.carbon = new(cli.Value[energy.Factor](c, "carbon"))
	}
	if c.IsSet("per") {
		p.work = new(cli.Value[energy.Work](c, "per"))
	}
	var err error
	if p.watchPlan, err = parseWatch(c); err != nil {
		return nil, err
	}
	p.output = newFile{name: c.String(outputFlag), force: true}
	p.actions = newFile{name: c.String("actions"), force: true}
	for _, f := range []newFile{p.output, p.actions} {
		if f.name == "" {
			continue
		}
		if err := f.check(); err != nil {
			return nil, err
		}
	}
	return p, differentFiles(c, []fileUse{{recordFlag, c.String(recordFlag)}, {outputFlag, p.output.name}, {"actions", p.actions.name}})
}
