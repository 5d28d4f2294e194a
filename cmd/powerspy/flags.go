package main

import (
	"strings"

	"powerspy2/internal/cli"
	"powerspy2/internal/config"
)

// Names of the flags that stand before or after the command.
const (
	deviceFlag  = "device"
	adapterFlag = "adapter"
	verboseFlag = "verbose"
	quietFlag   = "quiet"
)

// globalFlags returns the flags that every command about a meter has.
func (a *app) globalFlags() []*cli.Flag {
	const category = "Every command"
	return []*cli.Flag{
		{
			Name: deviceFlag, Aliases: []string{"d"}, Category: category, Env: "POWERSPY_DEVICE", Takes: cli.Text{Suggest: a.devices},
			Usage: "the `METER`: its address or name, a path, a server's unix:SOCKET or https://HOST:PORT, sim:SPEC",
		},
		{
			Name: adapterFlag, Category: category, Takes: cli.Text{Suggest: func() []string { return []string{"hci0", "hci1"} }},
			Usage: "use this Bluetooth `ADAPTER`: hci0, hci1... or its address",
		},
		{Name: verboseFlag, Aliases: []string{"v", "debug"}, Category: category, Usage: "show the bytes exchanged, on standard error"},
		{Name: quietFlag, Aliases: []string{"q"}, Category: category, Usage: "write nothing but errors to standard error"},
	}
}

const outputFlag = "output"

// standardOutput is the name of a file that is none.
const standardOutput = "-"

// outputName returns the file of --output; "" is standard output.
func outputName(c *cli.Context) string {
	if name := c.String(outputFlag); name != standardOutput {
		return name
	}
	return ""
}

// writtenFile returns the file that a command is to write, which is given as its
// argument i or as --output.
func writtenFile(c *cli.Context, i int) (string, error) {
	if c.Arg(i) != "" && c.IsSet(outputFlag) {
		return "", c.Usagef("give %s or --output, not both", c.Command.Args[i].Name)
	}
	return c.Arg(i) + c.String(outputFlag), nil
}

// devices lists what --device takes, for completion.
func (a *app) devices() []string {
	return append([]string{"sim:", "unix:", "https://", "tcp://", "/dev/rfcomm0"}, a.remembered()...)
}

// remembered lists the remembered meters, for completion. A configuration that
// can't be read has its error told by the command itself, not while it is being
// typed.
func (a *app) remembered() (list []string) {
	path, err := config.Path(a.env.getenv)
	if err != nil {
		return nil
	}
	c, err := config.Load(path)
	if err != nil {
		return nil
	}
	for _, t := range c.Meters {
		// The scripts separate words by lines, shells by blanks.
		if t.Alias != "" && !strings.ContainsAny(t.Alias, " \t\n") {
			list = append(list, t.Alias)
		}
		list = append(list, t.Device())
	}
	return list
}
