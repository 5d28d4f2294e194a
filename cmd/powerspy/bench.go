package main

import (
	"slices"

	"powerspy2/internal/bench"
	"powerspy2/internal/cli"
)

// Names of flags of bench that are used in more than one place.
const (
	warmupFlag        = "warmup"
	runsFlag          = "runs"
	minRunsFlag       = "min-runs"
	maxRunsFlag       = "max-runs"
	scanFlag          = "parameter-scan"
	stepFlag          = "parameter-step-size"
	listFlag          = "parameter-list"
	shellFlag         = "shell"
	noShellFlag       = "no-shell"
	ignoreFlag        = "ignore-failure"
	nameFlag          = "command-name"
	referenceFlag     = "reference"
	referenceNameFlag = "reference-name"
	showOutputFlag    = "show-output"
	inputFlag         = "input"
	styleFlag         = "style"
	orderFlag         = "order"
	seedFlag          = "seed"
	precisionFlag     = "precision"
	compareFlag       = "compare"
	calmFlag          = "calm"
	settleFlag        = "settle"
)

func (a *app) benchCommand() *cli.Command {
	const (
		runs       = "Runs"
		around     = "Around the runs"
		parameters = "Parameters"
		commands   = "Commands"
		results    = "Results"
	)
	text := cli.Text{}
	return &cli.Command{
		Name:  "bench",
		Usage: "run commands again and again, and tell which takes less energy",
		Args:  []cli.Arg{{Name: "COMMAND", What: "a command", Optional: true, Repeats: true}},
		Description: `Runs each COMMAND some times by the shell, and tells the mean of its energy, how
far the runs are from it, and its 95 % interval. Of several commands it tells
which ones take more or less than the best, or than --reference, or that no
difference was found. Options have hyperfine's names, letters and meaning.

All that the meter feeds counts. The start of the shell is part of each run and
is not subtracted; -N runs commands without one. By default the runs of several
commands take turns, A B, B A, so that what changes slowly, such as the
temperature of the room, meets all of them alike. Where a command needs what
the --setup of another one removes, give --order sequential.

Each COMMAND is one argument, in quotes if it has arguments of its own.

A run that was not measured as a whole is repeated. Ctrl-C ends the bench; what
there is by then is told and exported, and the exit status is 130. Exit status 1
is a command that failed (see -i), 7 that runs are missing after all.

Examples:

    powerspy bench 'gzip -9 -c /bin/sh' 'xz -9 -c /bin/sh'
    powerspy bench -r 30 --export-json sort.json 'sort in' 'sort -S1G in'
    powerspy bench -L n 1,2,4 -n '{n} threads' 'make -B -j{n}'
    powerspy bench -N --min-time 3s --precision 1% -M 100 'sha256sum in'
    powerspy bench --compare monday.json friday.json`,
		Flags: slices.Concat([]*cli.Flag{
			{Name: warmupFlag, Aliases: []string{"w"}, Category: runs, Takes: cli.Count{Max: bench.MaxRuns}, Default: "1", Usage: "warm up each command by `N` runs that don't count"},
			{Name: runsFlag, Aliases: []string{"r"}, Category: runs, Takes: cli.Count{Min: 1, Max: bench.MaxRuns}, Default: "10", Usage: "run each command `N` times"},
			{Name: minRunsFlag, Aliases: []string{"m"}, Category: runs, Takes: cli.Count{Min: 1, Max: bench.MaxRuns}, Usage: "run each command at least `N` times"},
			{Name: maxRunsFlag, Aliases: []string{"M"}, Category: runs, Takes: cli.Count{Min: 1, Max: bench.MaxRuns}, Usage: "run each command at most `N` times", Default: "100 with --precision"},
			{Name: precisionFlag, Category: runs, Takes: percentage{}, Usage: "go on until half the 95 % interval of each mean is under `PERCENT`: 1%"},
			{Name: "min-time", Category: runs, Takes: cli.Duration{Examples: "3s, 10s"}, Usage: "repeat a short command within each run for `TIME`: 3s"},
			{Name: orderFlag, Category: runs, Takes: cli.Choice(bench.Orders()), Default: bench.Interleaved.String(), Usage: "the `ORDER` of runs: interleaved, sequential or random"},
			{Name: seedFlag, Category: runs, Takes: cli.Count{}, Usage: "draw a random order from `N`, the same each time"},
			{Name: "cool-down", Category: runs, Takes: cli.Duration{Examples: "10s, 1m"}, Usage: "wait for `TIME` after each run"},
			{Name: settleFlag, Category: runs, Takes: percentage{}, Usage: "wait before runs until power is within `PERCENT` of what it was at first: 2%"},
			{Name: calmFlag, Category: runs, Takes: cli.Duration{Examples: "3s, 10s, 0", Zero: true}, Default: "3s", Usage: "watch the machine for `TIME` before the first run, and warn when it is not calm"},

			{Name: "setup", Aliases: []string{"s"}, Category: around, Takes: text, Usage: "run `CMD` once before the runs of each command"},
			{Name: "prepare", Aliases: []string{"p"}, Category: around, Takes: text, Repeats: true, Usage: "run `CMD` before each run; once for all commands, or for each"},
			{Name: "conclude", Aliases: []string{"C"}, Category: around, Takes: text, Repeats: true, Usage: "run `CMD` after each run; once for all commands, or for each"},
			{Name: "cleanup", Aliases: []string{"c"}, Category: around, Takes: text, Usage: "run `CMD` once after the runs of each command"},

			{Name: scanFlag, Aliases: []string{"P"}, Category: parameters, Takes: text, Values: 3, Usage: "put numbers in the place of {VAR}: `VAR MIN MAX`"},
			{Name: stepFlag, Aliases: []string{"D"}, Category: parameters, Takes: text, Default: "1", Usage: "of --parameter-scan: in steps of `DELTA`"},
			{Name: listFlag, Aliases: []string{"L"}, Category: parameters, Takes: text, Values: 2, Repeats: true, Usage: "put words with commas between them in the place of {VAR}: `VAR VALUES`"},

			{Name: shellFlag, Aliases: []string{"S"}, Category: commands, Takes: cli.Text{Suggest: func() []string { return []string{"default", "none", "bash --norc"} }}, Default: "sh", Usage: "run commands by `SHELL`; none does without"},
			{Name: noShellFlag, Aliases: []string{"N"}, Category: commands, Usage: "run commands without a shell, as --shell none"},
			{Name: ignoreFlag, Aliases: []string{"i"}, Category: commands, Takes: exitCodes{}, Optional: true, Usage: "go on when a command fails; with `CODES` after =, such as -i=1,2, only with those"},
			{Name: nameFlag, Aliases: []string{"n"}, Category: commands, Takes: text, Repeats: true, Usage: "call the command `NAME`; once for each"},
			{Name: referenceFlag, Category: commands, Takes: text, Usage: "run `CMD`, too, and compare all others with it"},
			{Name: referenceNameFlag, Category: commands, Takes: text, Usage: "call the reference `NAME`"},
			{Name: showOutputFlag, Category: commands, Usage: "show what commands write, as --output inherit"},
			{Name: outputFlag, Category: commands, Takes: outputPolicy{}, Repeats: true, Default: "null", Usage: "what commands write goes to `WHERE`: null, pipe, inherit or a file such as ./out; once for all, or for each"},
			{Name: inputFlag, Category: commands, Takes: cli.File{}, Default: "null", Usage: "commands read `FILE`"},

			{Name: "sort", Category: results, Takes: cli.Choice(bench.Sorts()), Default: "auto", Usage: "`HOW` results are sorted: auto, command, mean-time or energy"},
			{Name: "time-unit", Aliases: []string{"u"}, Category: results, Takes: cli.Choice{"microsecond", "millisecond", "second"}, Usage: "tell times in `UNIT`: microsecond, millisecond or second"},
			{Name: styleFlag, Category: results, Takes: cli.Choice{"auto", "basic", "full", "nocolor", "color", "none"}, Default: "auto", Usage: "`STYLE` of what is told: auto, basic, full, nocolor, color or none"},
		}, benchExports(results), []*cli.Flag{
			{Name: compareFlag, Category: results, Takes: cli.File{}, Values: 2, Usage: "run nothing: compare two exports in JSON, `OLD NEW`"},
			aboveIdle(), accuracyClass(), linkDelay(),
			recordTo(), pinFile(), pin(), giveUp(),
		}, jobStreamFlags(), recoveryFlags(), a.globalFlags()),
		Action: a.bench,
	}
}
