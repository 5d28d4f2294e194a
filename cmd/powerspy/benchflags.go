package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"powerspy2/internal/bench"
	"powerspy2/internal/cli"
	"powerspy2/internal/job"
	"powerspy2/internal/shell"
)

// A benchPlan is what bench was asked for.
type benchPlan struct {
	plan      bench.Plan
	commands  []benchCommand // those of plan
	reference int            // -1: the best one
	shell     []string       // nil: none

	setup, cleanup    string   // none: empty
	prepare, conclude []string // none, one, or one for each command
	output            []string // policies, one or one for each command
	input             string   // empty: nothing

	minTime time.Duration
	calm    time.Duration
	settle  float64 // 0: runs don't wait

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
	p := &benchPlan{reference: -1, minTime: c.Duration("min-time"), calm: usualCalm, settle: c.Float64(settleFlag)}
	var err error
	if p.commands, err = benchCommands(c); err != nil {
		return nil, err
	}
	if c.IsSet(referenceFlag) {
		line := c.String(referenceFlag)
		name := line
		if c.IsSet(referenceNameFlag) {
			name = c.String(referenceNameFlag)
		}
		p.commands = append([]benchCommand{{line: line, name: name}}, p.commands...)
		p.reference = 0
	} else if c.IsSet(referenceNameFlag) {
		return nil, c.Usagef("--%s needs --%s", referenceNameFlag, referenceFlag)
	}
	if p.plan, err = p.parseRuns(c); err != nil {
		return nil, err
	}
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
	if p.settle > 0 && p.calm < leastSettle && p.baseline.measure == 0 {
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
func benchCommands(c *cli.Context) ([]benchCommand, error) {
	lines := c.Args()
	for _, l := range lines {
		if strings.TrimSpace(l) == "" {
			return nil, c.Usagef("a command is empty")
		}
		if strings.ContainsRune(l, 0) {
			return nil, c.Usagef("a command holds a byte 0")
		}
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
	list, err := expand(lines, names, parameters)
	if err != nil {
		return nil, c.Usagef("%w", err)
	}
	return list, nil
}

// parseParameters reads --parameter-scan or --parameter-list.
func parseParameters(c *cli.Context) ([]parameter, error) {
	scanned, lists := cli.Values(c, scanFlag), cli.Values(c, listFlag)
	switch {
	case scanned != nil && lists != nil:
		return nil, c.Usagef("give --%s or --%s, not both", scanFlag, listFlag)
	case scanned == nil && c.IsSet(stepFlag):
		return nil, c.Usagef("--%s needs --%s", stepFlag, scanFlag)
	case scanned != nil:
		name, least, most := scanned[0].(string), scanned[1].(string), scanned[2].(string)
		values, err := scan(least, most, c.String(stepFlag))
		switch {
		case errors.Is(err, errNoStep):
			return nil, c.Usagef("the range %s to %s has decimals; give its step: --%s 0.1", least, most, stepFlag)
		case err != nil:
			return nil, c.Usagef("the range %s to %s of parameter %q: %w", least, most, name, err)
		}
		return []parameter{{name, values}}, nil
	}
	var list []parameter
	for pair := range slices.Chunk(lists, 2) {
		name, text := pair[0].(string), pair[1].(string)
		if slices.ContainsFunc(list, func(p parameter) bool { return p.name == name }) {
			return nil, c.Usagef("the parameter %q is given twice", name)
		}
		list = append(list, parameter{name, listed(text)})
	}
	return list, nil
}

// parseRuns reads how often, and in which order.
func (p *benchPlan) parseRuns(c *cli.Context) (bench.Plan, error) {
	var plan bench.Plan
	commands := make([]bench.Command, len(p.commands))
	for i, command := range p.commands {
		commands[i] = bench.Command{Name: command.name, Parameters: command.parameters}
	}
	plan = bench.NewPlan(commands...)
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
	p.shell = []string{"sh"}
	switch name := c.String(shellFlag); {
	case c.Bool(noShellFlag) && name != "":
		return c.Usagef("give --%s or -N, not both", shellFlag)
	case c.Bool(noShellFlag), name == "none":
		p.shell = nil
	case name != "" && name != "default":
		words, err := shell.Split(name)
		if err != nil || words[0] == "" {
			return c.Usagef("invalid shell %q for --%s; use for example bash, \"bash --norc\", default or none", name, shellFlag)
		}
		p.shell = words
	}
	p.setup, p.cleanup = c.String("setup"), c.String("cleanup")
	n := len(p.commands)
	commands := fmt.Sprintf("the %d commands", n)
	if p.reference == 0 {
		commands += ", the reference among them"
	}
	for _, f := range []struct {
		flag string
		to   *[]string
	}{{"prepare", &p.prepare}, {"conclude", &p.conclude}, {outputFlag, &p.output}} {
		for _, v := range cli.Values(c, f.flag) {
			*f.to = append(*f.to, v.(string))
		}
		if given := len(*f.to); given > 1 && given != n {
			return c.Usagef("--%s is given %d times; give it once, or for each of %s", f.flag, given, commands)
		}
	}
	switch {
	case c.Bool(showOutputFlag) && p.output != nil:
		return c.Usagef("give --%s or --%s, not both", showOutputFlag, outputFlag)
	case c.Bool(showOutputFlag):
		p.output = []string{outputInherit}
	case p.output == nil:
		p.output = []string{outputNull}
	}
	for _, where := range p.output {
		if err := checkOutput(where); err != nil {
			return err
		}
	}
	if p.input = c.String(inputFlag); p.input == "null" {
		p.input = ""
	}
	if p.input != "" {
		f, err := os.Open(p.input)
		if err != nil {
			return fmt.Errorf("the input of the commands: %w", err)
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return p.find()
}

// checkOutput says what keeps the output of a command from being written to a file. A
// device or a pipe may be one.
func checkOutput(where string) error {
	if slices.Contains(outputPolicy{}.Words(), where) {
		return nil
	}
	if info, err := os.Stat(where); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil
	}
	return newFile{name: where, force: true}.check()
}

// find says which programs are not there, as far as that shows before they are run.
func (p *benchPlan) find() error {
	if p.shell != nil {
		_, err := job.Find(p.shell[0])
		return err
	}
	for _, line := range p.allLines() {
		words, err := shell.Split(line)
		if err != nil {
			return advise(fmt.Errorf("the command %q: %w", line, err), "leave -N out for what only a shell understands")
		}
		if _, err := job.Find(words[0]); err != nil {
			return err
		}
	}
	return nil
}

// allLines returns all that is to be run, each line once.
func (p *benchPlan) allLines() []string {
	var list []string
	seen := map[string]bool{"": true}
	for i := range p.commands {
		c := &p.commands[i]
		for _, line := range []string{c.line, of(p.prepare, i), of(p.conclude, i), p.setup, p.cleanup} {
			if line = c.fill(line); !seen[line] {
				seen[line] = true
				list = append(list, line)
			}
		}
	}
	return list
}

// argv returns what a command line is run by.
func (p *benchPlan) argv(line string) ([]string, error) {
	if p.shell != nil {
		return append(slices.Clip(p.shell), "-c", line), nil
	}
	return shell.Split(line)
}

// of returns what of a list belongs to a command: the list has one for all, or one
// for each.
func of(list []string, command int) string {
	switch len(list) {
	case 0:
		return ""
	case 1:
		return list[0]
	}
	return list[command]
}

// exitCodeSet are exit statuses that are no failure, beside 0.
type exitCodeSet struct {
	all   bool
	codes []int
}

func (s exitCodeSet) accept(code int) bool { return s.all || slices.Contains(s.codes, code) }

// exitCodes are exit statuses with commas between them; nothing is all of them.
type exitCodes struct{}

func (exitCodes) Noun() string    { return "exit statuses" }
func (exitCodes) Use() string     { return "for example 1 or 1,2, or all-non-zero" }
func (exitCodes) Words() []string { return []string{"all-non-zero", "1", "1,2"} }

func (exitCodes) Parse(text string) (any, error) {
	if text == "" || text == "all-non-zero" {
		return exitCodeSet{all: true}, nil
	}
	var set exitCodeSet
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil {
			return nil, cli.ErrInvalid
		}
		if n < 1 || n > 255 {
			return nil, errors.New("an exit status is 1 to 255")
		}
		set.codes = append(set.codes, n)
	}
	return set, nil
}

// What becomes of what commands write; anything else is the path of a file.
const (
	outputNull    = "null"
	outputPipe    = "pipe"
	outputInherit = "inherit"
)

// outputPolicy is one of them, or the path of a file, which has a slash.
type outputPolicy struct{}

func (outputPolicy) Noun() string    { return "place" }
func (outputPolicy) Use() string     { return "null, pipe, inherit, or a file with a slash such as ./out" }
func (outputPolicy) Words() []string { return []string{outputNull, outputPipe, outputInherit} }

func (p outputPolicy) Parse(text string) (any, error) {
	if slices.Contains(p.Words(), text) {
		return text, nil
	}
	if !strings.ContainsRune(text, filepath.Separator) {
		return nil, cli.ErrInvalid
	}
	return text, nil
}
