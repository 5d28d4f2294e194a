package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"powerspy2/internal/cli"
	"powerspy2/internal/shell"
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
		Usage:       "simulate a meter for other programs to connect to",
		Args:        []cli.Arg{{Name: "SPEC", What: "parameters", Optional: true, Repeats: true}},
		Description: simDescription(),
		Flags: []*cli.Flag{
			{Name: "pty", Usage: "behind a pseudo-terminal, as a bound serial device is"},
			{Name: "link", Takes: cli.File{}, Usage: "with --pty: make `PATH` a symbolic link to the pseudo-terminal"},
			{Name: "tcp", Takes: cli.Text{}, Optional: true, Default: "a free port of 127.0.0.1", Usage: "on a TCP port, `[HOST:]PORT`"},
			{Name: "rfcomm", Usage: "over Bluetooth, through BlueZ and an adapter of this machine"},
			{Name: adapterFlag, Takes: cli.Text{}, Default: defaultAdapter, Usage: "with --rfcomm: the `ADAPTER` to be seen through"},
			{Name: "channel", Takes: cli.Count{Min: 1, Max: 30}, Default: "1", Usage: "with --rfcomm: RFCOMM channel `N`, 1 to 30"},
			{Name: "name", Takes: cli.Text{}, Default: "PowerSpy 4567", Usage: "with --rfcomm: the `NAME` to be seen under"},
			{Name: pinFlag, Takes: cli.Text{}, Default: "1234", Usage: "with --rfcomm: the `PIN` that pairs"},
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

    powerspy sim --pty --link /tmp/meter
    powerspy sim --pty `+sim.Example+`
    powerspy sim --tcp=127.0.0.1:4567 hang=12s
    powerspy measure --device sim:battery=1m    # no second program

SPEC is KEY=VALUE,KEY=VALUE... of:

`)
	for _, k := range sim.Keys() {
		pair := k.Name
		if k.Value != "" {
			pair += "=" + k.Value
		}
		cli.Entry(&b, "    "+pair, k.Description, 32)
	}
	fmt.Fprint(&b, `
AFTER counts from the opening of each connection; where it says once, from the
start.`)
	return b.String()
}

func (a *app) sim(c *cli.Context) error {
	args, tcp := c.Args(), c.String("tcp")
	if c.IsSet("tcp") && tcp == "" && len(args) > 0 && !strings.Contains(args[0], "=") {
		// --tcp HOST:PORT or PORT, as it would be written for any other flag.
		_, _, err := net.SplitHostPort(args[0])
		if _, nerr := strconv.ParseUint(args[0], 10, 64); err == nil || nerr == nil {
			tcp, args = args[0], args[1:]
		}
	}
	if len(args) > 1 {
		return c.Usagef("unexpected argument %q", args[1])
	}
	spec := strings.TrimPrefix(strings.Join(args, ""), "sim:")
	cfg, err := sim.ParseSpec(spec)
	if err != nil {
		return c.Usagef("%w", err)
	}
	ways := 0
	for _, on := range []bool{c.Bool("pty"), c.IsSet("tcp"), c.Bool("rfcomm")} {
		if on {
			ways++
		}
	}
	if ways != 1 {
		return c.Usagef("give one of --pty, --tcp and --rfcomm")
	}
	for _, f := range []struct{ name, needs string }{{"link", "pty"}, {adapterFlag, "rfcomm"}, {"channel", "rfcomm"}, {"name", "rfcomm"}, {pinFlag, "rfcomm"}} {
		if c.IsSet(f.name) && !c.Bool(f.needs) {
			return c.Usagef("--%s goes with --%s", f.name, f.needs)
		}
	}

	m := sim.New(cfg)
	switch {
	case c.IsSet("tcp"):
		err = a.simTCP(c, m, tcp)
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
	address, _, err := tcpAddress(c, address)
	if err != nil {
		return err
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
	if link := c.String("link"); link != "" {
		// Before there is a terminal of ours, to which an old link may lead.
		if err := checkLink(link, false); err != nil {
			return err
		}
	}
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
	if link := c.String("link"); link != "" {
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
	device := cmp.Or(c.String("link"), path)
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
	_, err := fmt.Fprintf(a.env.stdout, "a simulated PowerSpy listens on %s\ntry: powerspy measure --device %s\n", where, shell.Quote(device))
	return err
}
