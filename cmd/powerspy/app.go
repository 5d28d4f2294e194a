package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"powerspy2/bluez"
	"powerspy2/internal/cli"
	"powerspy2/internal/harmless"
	"powerspy2/internal/progress"
	"powerspy2/internal/screen"
	"powerspy2/internal/signals"
	"powerspy2/meter"
)

// env is the world as the command sees it, so that tests can give it another.
type env struct {
	args           []string // with the program's name first
	stdout, stderr io.Writer
	stream         io.Writer // standard output for measurements, which see to a reader that has stopped themselves
	stdoutTerminal bool
	stderrTerminal bool
	stdoutWidth    func() int // columns of the terminal, 0 if there is none; nil: that
	stderrWidth    func() int
	getenv         func(string) string
	interrupt      func()                   // ends the command's context, as Ctrl-C does
	signals        *signals.Handler         // of the process; nil: it gets none
	terminal       func() (terminal, error) // opens the terminal to ask questions on; nil: nobody to ask
}

// columns returns the columns of standard output's terminal, 0 for none.
func (e env) columns() int {
	if e.stdoutWidth == nil {
		return 0
	}
	return e.stdoutWidth()
}

// newProgress returns what tells on standard error what is going on.
func (e env) newProgress(quiet bool) *progress.Teller {
	return &progress.Teller{Out: e.stderr, Terminal: e.stderrTerminal && !screen.Dumb(e.getenv), Width: e.stderrWidth, Quiet: quiet}
}

// warn tells something that does not end the command.
func (e env) warn(format string, args ...any) {
	// There is nowhere left to tell that standard error is broken.
	_, _ = fmt.Fprintf(e.stderr, "powerspy: %s\n", harmless.Lines(fmt.Sprintf(format, args...)))
}

// run runs the command and returns its exit status.
func run(ctx context.Context, e env) int {
	e.stream = stdoutWriter{e.stdout}
	e.stdout = stdoutWriter{&lastWords{w: e.stdout, ctx: ctx}}
	a := &app{env: e}
	err := a.program().Run(ctx, e.args)
	a.tell(err)
	return exitStatus(err)
}

// tell tells a person of an error: in a sentence, and with --verbose what D-Bus
// said, too.
func (a *app) tell(err error) {
	text := message(err)
	if text == "" {
		return
	}
	a.env.warn("%s", text)
	if b, ok := errors.AsType[*bluez.Error](err); ok && b.Name != "" && a.verbose {
		a.env.warn("D-Bus: %s", harmless.Text(b.Details()))
	}
}

// app carries what the commands share.
type app struct {
	env     env
	verbose bool
}

func (a *app) program() *cli.Program {
	e := a.env
	p := &cli.Program{
		Name:        "powerspy",
		Usage:       "measure electric power with a PowerSpy2",
		Description: programDescription,
		Version:     versionText(),
		Flags:       a.globalFlags(),
		Topics:      topics,
		Sections:    manSections,
		Stdout:      e.stdout,
		Getenv:      e.getenv,
		Unexpected:  meantAsDevice,
	}
	p.Commands = slices.Concat(
		[]*cli.Command{a.measureCommand(), a.watchCommand(), a.serveCommand(), a.runCommand(), a.benchCommand(), a.baselineCommand(), a.markCommand(), a.convertCommand(), a.reportCommand(), a.setupCommand(), a.scanCommand(), a.metersCommand(), a.infoCommand(), a.doctorCommand(), a.fieldtestCommand(), a.recoverCommand()},
		under("Functions of the meter", a.captureCommand(), a.clockCommand(), a.eepromCommand(), a.filesCommand(), a.logCommand()),
		under("Other programs", a.gmtCommand(), a.bridgeCommand(), a.simCommand()),
		under("This program", p.CompletionCommand(a.writeText, toFile()...), p.ManCommand(a.writeText, toFile()...), a.versionCommand(), p.HelpCommand()),
	)
	return p
}

// under puts commands into a category of help.
func under(category string, commands ...*cli.Command) []*cli.Command {
	for _, c := range commands {
		c.Category = category
	}
	return commands
}

// meantAsDevice says how a meter is given, where one stands as an argument.
func meantAsDevice(c *cli.Command, arg string) string {
	t, err := meter.ParseTarget(arg)
	if err != nil || t.Kind == meter.Named || !c.HasFlag(deviceFlag) {
		return ""
	}
	return "a meter is given as --device " + arg
}

const programDescription = `With the meter plugged in, this finds it, pairs with it (PIN 1234, then
0000, unless told otherwise) and prints readings until Ctrl-C, without root:

    powerspy measure

Exit status: 0 done, 1 failed while running, 2 wrong usage, 3 no meter found,
4 this machine is not ready, 5 pairing refused, 6 the meter does not answer,
7 finished, but with gaps.`

// stdoutWriter says of errors that they are standard output's.
type stdoutWriter struct{ w io.Writer }

func (s stdoutWriter) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		err = &stdoutError{err}
	}
	return n, err
}
