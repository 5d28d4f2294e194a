package main

import (
	"context"

	"powerspy2/internal/cli"
	"powerspy2/meter"
)

// group makes a command of commands.
func (a *app) group(c cli.Command, commands ...*cli.Command) *cli.Command {
	c.Flags = a.globalFlags()
	for _, sub := range commands {
		sub.Flags = append(sub.Flags, pinFile(), pin())
		sub.Flags = append(sub.Flags, a.globalFlags()...)
	}
	c.Commands = commands
	return &c
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
