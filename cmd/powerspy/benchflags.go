package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"powerspy2/internal/bench"
	"powerspy2/internal/bench/commands"
	"powerspy2/internal/cli"
	"powerspy2/internal/shell"
)

// A benchPlan is what bench was asked for.
type benchPlan struct {
	commands.Plan
	runs      bench.Plan // of Plan.Commands
	reference int        // -1: the best one
	calm      time.Duration

	sort    bench.Sort
	unit    time.Duration // of times; 0: what suits
	style   string
	exports []export
	watchPlan
}

// usualCalm is for how long a machine is watched before the first run, and leastSettle
// what of that a power to come back to needs.
const (
	usualCalm   = 3 * time.Second
	leastSettle = 2 * time.Second
)

// parseBench reads the flags. What can be checked before a meter is woken is.
func (a *app) parseBench(c *cli.Context) (*benchPlan, error) {
	p := &benchPlan{reference: -1, calm: usualCalm, Plan: commands.Plan{MinTime: c.Duration("min-time"), Settle: c.Float64(settleFlag)}}
	var err error
	if p.Commands, err = benchCommands(c); err != nil {
		return nil, err
	}
	if c.IsSet(referenceFlag) {
		line := c.String(referenceFlag)
		name := line
		if c.IsSet(referenceNameFlag) {
			name = c.String(referenceNameFlag)
		}
		p.Commands = append([]commands.Command{{Line: line, Name: name}}, p.Commands...)
		p.reference = 0
	} else if c.IsSet(referenceNameFlag) {
		return nil, c.Usagef("--%s needs --%s", referenceNameFlag, referenceFlag)
	}
	if p.runs, err = p.parseRuns(c); err != nil {
		return nil, err
	}
	p.Accept = p.runs.Accept
	if err := p.parseCommands(c); err != nil {
		return nil, err
	}
	if c.IsSet(calmFlag) {
		p.calm = c.Duration(calmFlag)
	}
	if p.watchPlan, err = parseWatch(c); err != nil {
		return nil, err
	}
	p.keep = benchKeep
	if p.Settle > 0 && p.calm < leastSettle && p.baseline.measure == 0 {
		return nil, c.Usagef("--settle needs --calm %v or more, to know what the power has to come back to", leastSettle)
	}
	if c.IsSet("sort") {
		p.sort, _ = bench.ParseSort(c.String("sort")) // it is one of them
	}
	for _, u := range bench.TimeUnits {
		if u.Name == c.String("time-unit") {
			p.unit = u.Length
		}
	}
	p.style = c.String(styleFlag)
	if p.exports, err = parseExports(c); err != nil {
		return nil, err
	}
	return p, p.checkFiles(c)
}

// benchKeep is for how long each window is remembered: a run is evaluated soon after
// its end, and edges of a second are little of one that lasts longer.
const benchKeep = 10 * time.Minute

// benchCommands returns the commands with all values of their parameters.
func benchCommands(c *cli.Context) ([]commands.Command, error) {
	lines := c.Args()
	for _, l := range lines {
		if strings.TrimSpace(l) == "" {
			return nil, c.Usagef("a command is empty")
		}
		if strings.ContainsRune(l, 0) {
			return nil, c.Usagef("a command holds a byte 0")
		}
	}
	if len(lines) == 0 && (c.IsSet(listFlag) || c.IsSet(scanFlag)) {
		return nil, c.Usagef("bench needs a command after the values of -L and -P")
	}
	if len(lines) == 0 {
		return nil, c.Usagef("bench needs a command")
	}
	parameters, err := parseParameters(c)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range cli.Values(c, nameFlag) {
		names = append(names, n.(string))
	}
	total, err := commands.Number(len(lines), parameters)
	switch n := len(names); {
	case err != nil:
		return nil, c.Usagef("%w", err)
	case len(parameters) == 0 && n > total:
		return nil, c.Usagef("--%s is given more often (%d) than there are commands (%d)", nameFlag, n, total)
	case len(parameters) > 0 && n > 1 && n != total:
		return nil, c.Usagef("--%s is given %d times; with parameters give it once, or for each of the %d commands", nameFlag, n, total)
	}
	return commands.Expand(lines, names, parameters)
}

// parseParameters reads --parameter-scan or --parameter-list.
func parseParameters(c *cli.Context) ([]commands.Parameter, error) {
	scanned, lists := cli.Values(c, scanFlag), cli.Values(c, listFlag)
	switch {
	case scanned != nil && lists != nil:
		return nil, c.Usagef("give --%s or --%s, not both", scanFlag, listFlag)
	case scanned == nil && c.IsSet(stepFlag):
		return nil, c.Usagef("--%s needs --%s", stepFlag, scanFlag)
	case scanned != nil:
		name, least, most := scanned[0].(string), scanned[1].(string), scanned[2].(string)
		values, err := commands.Scan(least, most, c.String(stepFlag))
		switch {
		case errors.Is(err, commands.ErrNoStep):
			return nil, c.Usagef("the range %s to %s has decimals; give its step: --%s 0.1", least, most, stepFlag)
		case err != nil:
			return nil, c.Usagef("the range %s to %s of parameter %q: %w", least, most, name, err)
		}
		return []commands.Parameter{{Name: name, Values: values}}, nil
	}
	var list []commands.Parameter
	for pair := range slices.Chunk(lists, 2) {
		name, text := pair[0].(string), pair[1].(string)
		if slices.ContainsFunc(list, func(p commands.Parameter) bool { return p.Name == name }) {
			return nil, c.Usagef("the parameter %q is given twice", name)
		}
		list = append(list, commands.Parameter{Name: name, Values: commands.List(text)})
	}
	return list, nil
}

// parseRuns reads how often, and in which order.
func (p *benchPlan) parseRuns(c *cli.Context) (bench.Plan, error) {
	var plan bench.Plan
	list := make([]bench.Command, len(p.Commands))
	for i, command := range p.Commands {
		list[i] = bench.Command{Name: command.Name, Parameters: command.Parameters}
	}
	plan = bench.NewPlan(list...)
	if c.IsSet(runsFlag) && (c.IsSet(minRunsFlag) || c.IsSet(maxRunsFlag)) {
		return plan, c.Usagef("give --%s, or --%s and --%s", runsFlag, minRunsFlag, maxRunsFlag)
	}
	if c.IsSet(warmupFlag) {
		plan.Warmups = c.Int(warmupFlag)
	}
	plan.Precision = c.Float64(precisionFlag)
	plan.SetRuns(c.Int(runsFlag), c.Int(minRunsFlag), c.Int(maxRunsFlag))
	if least, most := plan.MinRuns, plan.MaxRuns; most < least {
		return plan, c.Usagef("at least %d runs and at most %d: there is no such number", least, most)
	}
	switch {
	case plan.Precision > 0 && c.IsSet(runsFlag):
		return plan, c.Usagef("with --%s give --%s, which bounds the runs, in place of --%s", precisionFlag, maxRunsFlag, runsFlag)
	case plan.Precision > 0 && plan.MaxRuns < 2:
		return plan, c.Usagef("--%s needs two runs or more", precisionFlag)
	}
	plan.CoolDown = c.Duration("cool-down")
	if c.IsSet(orderFlag) {
		plan.Order, _ = bench.ParseOrder(c.String(orderFlag)) // it is one of them
	}
	switch {
	case c.IsSet(seedFlag) && plan.Order != bench.Random:
		return plan, c.Usagef("--%s needs --%s random", seedFlag, orderFlag)
	case c.IsSet(seedFlag):
		plan.Seed = uint64(c.Int(seedFlag))
	case plan.Order == bench.Random:
		plan.Seed = rand.Uint64() >> 11 // a number of JSON is exact up to there
	}
	if c.IsSet(ignoreFlag) {
		set, ok := cli.Values(c, ignoreFlag)[0].(exitCodeSet)
		if !ok { // without a value
			set = exitCodeSet{all: true}
		}
		plan.Accept = set.accept
	}
	if err := plan.Check(); err != nil {
		return plan, c.Usagef("%w", err)
	}
	return plan, nil
}

// parseCommands reads how commands are run, and what is run around them.
func (p *benchPlan) parseCommands(c *cli.Context) error {
	p.Shell = []string{"sh"}
	switch name := c.String(shellFlag); {
	case c.Bool(noShellFlag) && name != "":
		return c.Usagef("give --%s or -N, not both", shellFlag)
	case c.Bool(noShellFlag), name == "none":
		p.Shell = nil
	case name != "" && name != "default":
		words, err := shell.Split(name)
		if err != nil || words[0] == "" {
			return c.Usagef("invalid shell %q for --%s; use for example bash, \"bash --norc\", default or none", name, shellFlag)
		}
		p.Shell = words
	}
	p.Setup, p.Cleanup = c.String("setup"), c.String("cleanup")
	n := len(p.Commands)
	all := fmt.Sprintf("the %d commands", n)
	if p.reference == 0 {
		all += ", the reference among them"
	}
	for _, f := range []struct {
		flag string
		to   *[]string
	}{{"prepare", &p.Prepare}, {"conclude", &p.Conclude}, {outputFlag, &p.Output}} {
		for _, v := range cli.Values(c, f.flag) {
			*f.to = append(*f.to, v.(string))
		}
		if given := len(*f.to); given > 1 && given != n {
			return c.Usagef("--%s is given %d times; give it once, or for each of %s", f.flag, given, all)
		}
	}
	switch {
	case c.Bool(showOutputFlag) && p.Output != nil:
		return c.Usagef("give --%s or --%s, not both", showOutputFlag, outputFlag)
	case c.Bool(showOutputFlag):
		p.Output = []string{commands.OutputInherit}
	case p.Output == nil:
		p.Output = []string{commands.OutputNull}
	}
	for _, where := range p.Output {
		if err := checkOutput(where); err != nil {
			return err
		}
	}
	if p.Input = c.String(inputFlag); p.Input == "null" {
		p.Input = ""
	}
	if p.Input != "" {
		f, err := os.Open(p.Input)
		if err != nil {
			return fmt.Errorf("the input of the commands: %w", err)
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	err := p.Find()
	if _, ok := errors.AsType[*commands.LineError](err); ok {
		return advise(err, "leave -N out for what only a shell understands")
	}
	return err
}
