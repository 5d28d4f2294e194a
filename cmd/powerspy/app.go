package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// env is the world as the command sees it, so that tests can give it another.
type env struct {
	args           []string // with the program's name first
	stdout, stderr io.Writer
	stdoutTerminal bool
	stderrTerminal bool
	getenv         func(string) string
	interrupt      func()                   // ends the command's context, as Ctrl-C does
	terminal       func() (terminal, error) // opens the terminal to ask questions on; nil: nobody to ask
}

// warn tells something that does not end the command.
func (e env) warn(format string, args ...any) {
	// There is nowhere left to tell that standard error is broken.
	_, _ = fmt.Fprintf(e.stderr, "powerspy: "+format+"\n", args...)
}

// run runs the command and returns its exit status.
func run(ctx context.Context, e env) int {
	out := &checkedWriter{w: e.stdout}
	e.stdout = out
	err := newApp(e).RunContext(ctx, e.args)
	if out.err != nil && err == nil {
		// A help text or a list, whose printing does not look at errors.
		err = out.err
	}
	if text := message(err); text != "" {
		e.warn("%s", text)
	}
	return exitStatus(err)
}

// app carries what the subcommands share.
type app struct {
	env env
}

// newApp returns the command line without running it.
func newApp(e env) *cli.App {
	a := &app{env: e}
	root := &cli.App{
		Name:                  "powerspy",
		HelpName:              "powerspy",
		Usage:                 "measure electric power with a PowerSpy2",
		UsageText:             "powerspy [global options] COMMAND [options]",
		Description:           rootDescription,
		Version:               versionText(),
		Writer:                e.stdout,
		ErrWriter:             e.stderr,
		Flags:                 append(globalFlags(true), cli.HelpFlag),
		EnableBashCompletion:  true,
		Action:                a.noCommand,
		CustomAppHelpTemplate: cli.AppHelpTemplate + topicList(),
		// run prints errors and main exits; the library is to do neither.
		ExitErrHandler: func(*cli.Context, error) {},
		Commands: []*cli.Command{
			a.measureCommand(), a.setupCommand(), a.scanCommand(), a.infoCommand(),
			a.doctorCommand(), a.recoverCommand(),
			a.clockCommand(), a.eepromCommand(), a.filesCommand(), a.logCommand(), a.captureCommand(),
			a.gmtCommand(), a.bridgeCommand(), a.simCommand(), a.completionCommand(), a.manCommand(), a.versionCommand(), a.helpCommand(),
		},
	}
	root.BashComplete = a.complete
	root.OnUsageError = a.flagError
	a.adopt(root.Commands)
	return root
}

// adopt makes commands, and the commands below them, behave like all others.
func (a *app) adopt(commands []*cli.Command) {
	for _, c := range commands {
		c.HideHelpCommand = true
		c.Flags = append(c.Flags, cli.HelpFlag)
		if len(c.Subcommands) == 0 {
			c.CustomHelpTemplate = cli.CommandHelpTemplate
		}
		c.OnUsageError = a.flagError
		c.BashComplete = a.complete
		a.adopt(c.Subcommands)
	}
}

const rootDescription = `With the meter plugged in, this finds it, pairs with it (PIN 1234 unless
told otherwise) and prints readings until Ctrl-C, without root:

    powerspy measure

Exit status: 0 done, 1 failed while running, 2 wrong usage, 3 no meter found,
4 this machine is not ready, 5 pairing refused, 6 the meter does not answer,
7 finished, but with gaps.`

func init() {
	// The library's own flag takes -v, which is --verbose here and in the
	// older tools.
	cli.VersionFlag = &cli.BoolFlag{Name: "version", Usage: "print the version and exit", DisableDefaultText: true}
	cli.VersionPrinter = func(c *cli.Context) {
		fmt.Fprintf(c.App.Writer, "powerspy %s\n", c.App.Version) // a checkedWriter
	}
}

// noCommand is the action of `powerspy` alone, and of a command that is none.
func (a *app) noCommand(c *cli.Context) error {
	if c.NArg() == 0 {
		return cli.ShowAppHelp(c)
	}
	return unknownCommand(c)
}

func unknownCommand(c *cli.Context) error {
	name := c.Args().First()
	var names []string
	for _, cmd := range c.App.VisibleCommands() {
		names = append(names, cmd.Name)
	}
	text := fmt.Sprintf("there is no command %q", name)
	if c.Command.Name == "help" {
		names = append(names, topicNames()...)
		text = fmt.Sprintf("there is no command or topic %q", name)
	}
	if s := closest(name, names); s != "" {
		text += " (did you mean " + s + "?)"
	}
	return &usageError{text: text, help: "powerspy help"}
}

func (a *app) helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "list the commands, or explain one, or a topic",
		ArgsUsage: "[COMMAND... | TOPIC]",
		Description: "The topics are " + strings.Join(topicNames(), ", ") + `. Examples:

    powerspy help measure
    powerspy help formats`,
		Action: func(c *cli.Context) error { return a.help(c, c.Args().Slice()) },
	}
}

// help explains the command, or the topic, that the words name.
func (a *app) help(c *cli.Context, words []string) error {
	if len(words) == 0 {
		return cli.ShowAppHelp(c)
	}
	cmd := c.App.Command(words[0])
	if cmd == nil && len(words) == 1 {
		if ok, err := printTopic(a.env.stdout, words[0]); ok {
			return err
		}
	}
	if cmd == nil && !slices.Contains(topicNames(), words[0]) {
		return unknownCommand(c)
	}
	for _, w := range words[1:] {
		if cmd == nil || len(cmd.Subcommands) == 0 {
			return usagef(c, "help takes no further argument %q", w)
		}
		group := cmd
		if cmd = below(group, w); cmd == nil {
			return unknownBelow(c, group, w)
		}
	}
	// A command's own --help, which is right for those below a command, too.
	return c.App.RunContext(c.Context, append(append([]string{c.App.Name}, words...), "--help"))
}

// below finds a command of a command by its name; nil if there is none.
func below(c *cli.Command, name string) *cli.Command {
	for _, sub := range c.Subcommands {
		if sub.HasName(name) {
			return sub
		}
	}
	return nil
}

// checkedWriter remembers the first error, because help texts are printed by
// code that does not look at it.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(p)
	if err != nil {
		c.err = &stdoutError{err}
	}
	return n, c.err
}
