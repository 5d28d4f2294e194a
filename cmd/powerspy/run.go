package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/energy"
	"powerspy2/internal/job"
	"powerspy2/internal/result"
	"powerspy2/record"
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
	return p, nil
}

// runJob measures a job, and returns the exit status. An error is one of this
// program's.
func (a *app) runJob(c *cli.Context) (status int, err error) {
	p, err := a.parseRun(c)
	if err != nil {
		return ownFailure, err
	}
	if len(p.command) > 0 {
		if _, err := job.Find(p.command[0]); err != nil {
			return startStatus(err), err
		}
	}
	s, err := a.session(c)
	if err != nil {
		return ownFailure, err
	}
	defer s.progress.End()
	base, err := p.baseline.load()
	if err != nil {
		return ownFailure, err
	}
	var process *job.Process
	if p.pid != 0 {
		if process, err = job.OpenProcess(p.pid); err != nil {
			return ownFailure, err
		}
		defer process.Close()
	}
	rec, err := s.recording(c)
	if err != nil {
		return ownFailure, err
	}
	defer func() {
		cerr := err
		if rec.closing(&cerr); err == nil && cerr != nil {
			err = cerr
			status = cmp.Or(status, ownFailure) // that of the job comes first
		}
	}()
	var noticed energy.Notices
	p.sinks = append(p.sinks, &noticed)
	m, err := s.watchMeter(c.Context, &p.watchPlan, rec)
	switch {
	case err != nil && p.anyway && c.Context.Err() == nil:
		s.progress.Line("nothing will be measured: %s", sentence(err))
		m = &jobMeter{lost: err}
	case err != nil:
		return ownFailure, err
	}
	defer m.stop(s)
	if p.baseline.measure > 0 && m.watch != nil {
		if base, err = s.idle(c.Context, m, p.baseline.measure); err != nil {
			return ownFailure, err
		}
	}
	r := &energy.Result{
		Command: p.command, Baseline: base, Tool: versionText(),
		Cost: p.cost, Carbon: p.carbon, Work: p.work, Warnings: m.baselineWarnings(base, p.baseline.path != ""),
	}
	switch {
	case len(p.command) > 0:
		status, err = a.runWatched(c.Context, s, p, m, r)
	default:
		err = a.waitWatched(c.Context, s, p, process, m, r)
	}
	if err != nil {
		return startStatus(err), err
	}
	if m.watch != nil {
		r.Meter = result.MeterOf(m.src)
		r.Settle(c.Context, m.watch)
	} else {
		r.Unmeasured(m.lost)
	}
	noticed.Warn(r)
	rec.Job(recordedJob(r))
	if err := a.writeResult(p, r); err != nil {
		// The job's own status tells what became of the job.
		if status == 0 {
			status = ownFailure
		}
		return status, err
	}
	return status, nil
}

// writeResult writes the report where it is to go, and the actions.
func (a *app) writeResult(p *jobPlan, r *energy.Result) error {
	if p.actions.name != "" {
		if err := p.actions.write(a.env, r.Actions); err != nil {
			return err
		}
	}
	write := map[string]func(io.Writer) error{"text": r.Text, "json": r.JSON, "csv": r.CSV}[p.format]
	if p.output.name != "" {
		return p.output.write(a.env, write)
	}
	var b strings.Builder
	if err := write(&b); err != nil {
		return err
	}
	_, err := io.WriteString(a.env.stderr, b.String())
	return err
}

// recordedJob returns the job as a recording has it at its end.
func recordedJob(r *energy.Result) record.Job {
	j := record.Job{Command: r.Command, Start: r.From, End: r.To}
	var b bytes.Buffer
	if err := r.JSON(&b); err == nil { // a buffer takes all
		j.Result = bytes.TrimSpace(b.Bytes())
	}
	return j
}

// startStatus is the exit status for a command that can't be started.
func startStatus(err error) int {
	switch {
	case errors.Is(err, job.ErrNotFound):
		return notFound
	case errors.Is(err, job.ErrNotExecutable):
		return notExecutable
	}
	return ownFailure
}
