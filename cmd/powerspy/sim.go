package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	pseudo "powerspy2/internal/terminal"
	"powerspy2/powerspy/sim"
)

// defaultAdapter is the first one of nearly every machine.
const defaultAdapter = "hci0"

// defaultPort lets the kernel choose a free one.
const defaultPort = "127.0.0.1:0"

func (a *app) simCommand() *cli.Command {
	return &cli.Command{
		Name:        "sim",
		Usage:       "be a meter: simulate one for other programs to connect to",
		ArgsUsage:   "[SPEC]",
		Description: simDescription(),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "pty", DisableDefaultText: true, Usage: "behind a pseudo-terminal, as a bound serial device is"},
			&cli.PathFlag{Name: "link", Usage: "with --pty: make `PATH` a symbolic link to the pseudo-terminal"},
			&cli.GenericFlag{Name: "tcp", Value: &optionalValue{}, DefaultText: "a free port of 127.0.0.1", Usage: "on a TCP port: --tcp, or --tcp=`HOST:PORT`"},
			&cli.BoolFlag{Name: "rfcomm", DisableDefaultText: true, Usage: "in the air, through BlueZ and a Bluetooth adapter of this machine"},
			&cli.StringFlag{Name: adapterFlag, DefaultText: defaultAdapter, Usage: "with --rfcomm: the `ADAPTER` to be seen through"},
			&cli.StringFlag{Name: "channel", DefaultText: "1", Usage: "with --rfcomm: RFCOMM channel `N`, 1 to 30"},
			&cli.StringFlag{Name: "name", DefaultText: "PowerSpy 4567", Usage: "with --rfcomm: the `NAME` to be seen under"},
			&cli.StringFlag{Name: pinFlag, DefaultText: "1234", Usage: "with --rfcomm: the `PIN` that pairs"},
		},
		Action: a.sim,
	}
}

func simDescription() string {
	var b strings.Builder
	fmt.Fprint(&b, `Prints where it listens and what to type to try it, and runs until Ctrl-C. One
of --pty, --tcp and --rfcomm is needed. (Without a second program:
`+"`powerspy measure --device sim:SPEC`"+`.)

Examples:

    powerspy sim --pty --link /tmp/meter `+sim.Example+`
    powerspy sim --tcp=127.0.0.1:4567 hang=12s
    powerspy measure --device sim:battery=1m    # no second program, all faults

SPEC is KEY=VALUE,KEY=VALUE... of:

`)
	for _, k := range sim.Keys() {
		pair := k.Name
		if k.Value != "" {
			pair += "=" + k.Value
		}
		fmt.Fprintf(&b, "    %-28s  %s\n", pair, k.Description)
	}
	fmt.Fprint(&b, `
AFTER counts from the opening of each connection; where it says once, from the
start.`)
	return b.String()
}

// optionalValue is the value of a flag that may be given without one.
type optionalValue struct {
	set   bool
	value string
}

// Set takes "true" for the flag without a value, as package flag gives it for a
// flag whose IsBoolFlag says so.
func (o *optionalValue) Set(s string) error {
	o.set = true
	if s != "true" {
		o.value = s
	}
	return nil
}

func (o *optionalValue) String() string { return o.value }

// IsBoolFlag lets the flag stand without a value.
func (o *optionalValue) IsBoolFlag() bool { return true }

func (a *app) sim(c *cli.Context) error {
	args := c.Args().Slice()
	tcp, ok := c.Generic("tcp").(*optionalValue)
	if !ok {
		tcp = &optionalValue{}
	}
	if tcp.set && tcp.value == "" && len(args) > 0 && !strings.Contains(args[0], "=") {
		// --tcp HOST:PORT, as it would be written for any other flag.
		if _, _, err := net.SplitHostPort(args[0]); err == nil {
			tcp.value, args = args[0], args[1:]
		}
	}
	if len(args) > 1 {
		return surplus(c, c.NArg()-len(args)+1)
	}
	spec := strings.TrimPrefix(strings.Join(args, ""), "sim:")
	cfg, err := sim.ParseSpec(spec)
	if err != nil {
		return usagef(c, "%w", err)
	}
	ways := 0
	for _, on := range []bool{c.Bool("pty"), tcp.set, c.Bool("rfcomm")} {
		if on {
			ways++
		}
	}
	if ways != 1 {
		return usagef(c, "give one of --pty, --tcp and --rfcomm")
	}
	for _, f := range []struct{ name, needs string }{{"link", "pty"}, {adapterFlag, "rfcomm"}, {"channel", "rfcomm"}, {"name", "rfcomm"}, {pinFlag, "rfcomm"}} {
		if c.IsSet(f.name) && !c.Bool(f.needs) {
			return usagef(c, "--%s goes with --%s", f.name, f.needs)
		}
	}

	m := sim.New(cfg)
	switch {
	case tcp.set:
		err = a.simTCP(c, m, tcp.value)
	case c.Bool("pty"):
		err = a.simPTY(c, m)
	default:
		err = a.simRFCOMM(c, m)
	}
	if interrupted(c.Context, err) {
		return nil
	}
	return err
}

func (a *app) simTCP(c *cli.Context, m *sim.Meter, address string) error {
	if address == "" {
		address = defaultPort
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return usagef(c, "%q is no HOST:PORT such as 127.0.0.1:4567", address)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(c.Context, "tcp", address)
	if err != nil {
		return err
	}
	if err := a.announce(l.Addr().String(), "tcp://"+l.Addr().String()); err != nil {
		return errors.Join(err, l.Close())
	}
	return m.Serve(c.Context, l)
}

func (a *app) simPTY(c *cli.Context, m *sim.Meter) (err error) {
	ctx, cancel := context.WithCancel(c.Context)
	path, wait, err := m.ServePTY(ctx)
	if err != nil {
		cancel()
		return err
	}
	// Whatever happens, the pseudo-terminal is served until it is given up.
	defer func() {
		cancel()
		if werr := wait(); err == nil {
			err = werr
		}
	}()
	if link := c.Path("link"); link != "" {
		if err := pseudo.Link(path, link); err != nil {
			return err
		}
		defer func() {
			// Somebody else's link by now is left alone.
			if now, rerr := os.Readlink(link); rerr == nil && now == path {
				err = errors.Join(err, os.Remove(link))
			}
		}()
	}
	device := cmp.Or(c.Path("link"), path)
	if !strings.Contains(device, "/") {
		device = "./" + device // a path and not a name
	}
	if err := a.announce(path, device); err != nil {
		return err
	}
	return wait()
}

// announce says where the simulated meter is, and how to try it.
func (a *app) announce(where, device string) error {
	_, err := fmt.Fprintf(a.env.stdout, "a simulated PowerSpy listens on %s\ntry: powerspy measure --device %s\n", where, device)
	return err
}
