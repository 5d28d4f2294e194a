package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"powerspy2/meter"
)

// group makes a command of commands.
func (a *app) group(c cli.Command, commands ...*cli.Command) *cli.Command {
	c.Flags = globalFlags(false)
	for _, sub := range commands {
		sub.Flags = append(sub.Flags, pin())
		sub.Flags = append(sub.Flags, globalFlags(false)...)
	}
	c.Subcommands = commands
	var names []string
	for _, sub := range commands {
		names = append(names, sub.Name)
	}
	c.Action = func(c *cli.Context) error {
		if c.NArg() == 0 {
			return usagef(c, "%s needs one of %s", c.Command.Name, strings.Join(names, ", "))
		}
		name := c.Args().First()
		if name == "help" {
			return a.help(c, append([]string{c.Command.Name}, c.Args().Tail()...))
		}
		return unknownBelow(c, c.Command, name)
	}
	return &c
}

// unknownBelow is the error about a command that group does not have.
func unknownBelow(c *cli.Context, group *cli.Command, name string) error {
	var names []string
	for _, sub := range group.Subcommands {
		names = append(names, sub.Name)
	}
	text := fmt.Sprintf("there is no command \"%s %s\"", group.Name, name)
	if s := closest(name, names); s != "" {
		text += " (did you mean " + s + "?)"
	}
	return &usageError{text: text, help: "powerspy " + group.Name + " --help"}
}

// withMeter opens the meter for do, and closes it.
func (a *app) withMeter(c *cli.Context, do func(context.Context, *session, *meter.Meter) error) error {
	return a.withOpened(c, meter.Open, do)
}

// withOpened is withMeter with a way of opening.
func (a *app) withOpened(c *cli.Context, open func(context.Context, meter.Config) (*meter.Meter, error),
	do func(context.Context, *session, *meter.Meter) error) (err error) {
	s, err := a.session(c)
	if err != nil {
		return err
	}
	defer s.progress.End()
	m, err := open(c.Context, s.meter)
	if err != nil {
		return err
	}
	defer closing(&err, m)
	s.progress.End()
	return do(c.Context, s, m)
}
