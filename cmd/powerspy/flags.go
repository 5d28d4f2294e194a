package main

import (
	"github.com/urfave/cli/v2"
)

// Names of the flags that stand before or after the subcommand.
const (
	deviceFlag  = "device"
	adapterFlag = "adapter"
	verboseFlag = "verbose"
	quietFlag   = "quiet"
)

// globalFlags returns the flags that every command about a meter has. They are
// accepted before the subcommand (root) and after it; read them with
// stringFlag and boolFlag.
func globalFlags(root bool) []cli.Flag {
	category := "Every command:"
	device := &cli.StringFlag{
		Name: deviceFlag, Aliases: []string{"d"}, Category: category,
		Usage: "the `METER`: its address or name, a path, tcp://HOST:PORT, sim:SPEC",
	}
	if root {
		// Once is enough: the flag after the subcommand comes first anyhow.
		device.EnvVars = []string{"POWERSPY_DEVICE"}
	}
	return []cli.Flag{
		device,
		&cli.StringFlag{Name: adapterFlag, Category: category, Usage: "use this Bluetooth `ADAPTER`: hci0, hci1... or its address"},
		&cli.BoolFlag{
			Name: verboseFlag, Aliases: []string{"v", "debug"}, Category: category, DisableDefaultText: true,
			Usage: "show the bytes exchanged, on standard error",
		},
		&cli.BoolFlag{
			Name: quietFlag, Aliases: []string{"q"}, Category: category, DisableDefaultText: true,
			Usage: "write nothing but errors to standard error",
		},
	}
}

// setAt returns the innermost context in which a flag was set. The library looks
// only at the innermost one that knows the flag, so that a flag before the
// subcommand would be hidden by the subcommand's of the same name.
func setAt(c *cli.Context, name string) *cli.Context {
	for _, level := range c.Lineage() {
		// The outermost context belongs to no command.
		if level.Command != nil && level.IsSet(name) {
			return level
		}
	}
	return nil
}

func stringFlag(c *cli.Context, name string) string {
	if at := setAt(c, name); at != nil {
		return at.String(name)
	}
	return ""
}

func boolFlag(c *cli.Context, name string) bool {
	at := setAt(c, name)
	return at != nil && at.Bool(name)
}
