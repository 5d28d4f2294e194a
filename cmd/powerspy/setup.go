package main

import (
	"context"
	"fmt"

	"powerspy2/internal/cli"
	"powerspy2/meter"
)

func (a *app) setupCommand() *cli.Command {
	return &cli.Command{
		Name:  "setup",
		Usage: "find a meter, pair with it and remember it",
		Description: `The meter becomes the default one of this user, for all other commands.

Examples:

    powerspy setup
    powerspy setup --device "PowerSpy 4567" --alias bench --pin-file pin.txt`,
		Flags: append([]*cli.Flag{
			{Name: "alias", Takes: alias{}, Usage: "a `NAME` of your own for the meter, for --device"},
			pinFile(), pin(),
		}, a.globalFlags()...),
		Action: a.setup,
	}
}

func (a *app) setup(c *cli.Context) error {
	return a.withOpened(c, meter.Setup, func(_ context.Context, s *session, m *meter.Meter) error {
		t := m.Target()
		if name := c.String("alias"); name != "" {
			t.Alias = name
		}
		if err := s.remember(t); err != nil {
			return err
		}
		pairing := ""
		if t.Unpaired {
			pairing = ", without pairing, which it refuses"
		}
		id := m.Info().Identity
		_, err := fmt.Fprintf(a.env.stdout, "%s is ready%s: serial %d, firmware 0x%02x, generation %s, mains %.2f Hz\nremembered in %s; `powerspy measure` uses it\n",
			t, pairing, id.Serial, id.Firmware, id.Generation(), m.Info().Frequency, s.configPath)
		return err
	})
}
