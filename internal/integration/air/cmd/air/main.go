// Command air plugs a Bluetooth adapter made of software into the kernel, puts
// simulated PowerSpy2 meters into its air, and takes commands: one a line on
// standard input and on connections to a unix socket. "help" lists them.
//
// It must be able to open /dev/vhci, so it runs as root, best in a virtual
// machine.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"powerspy2/bdaddr"
	"powerspy2/internal/integration/air"
	"powerspy2/powerspy/sim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, air.OpenVHCI)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil && !errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "air:", err)
		os.Exit(1)
	}
}

// meterFlags collects -meter ADDRESS[,NAME].
type meterFlags []air.DeviceConfig

func (m *meterFlags) String() string { return "" }

func (m *meterFlags) Set(v string) error {
	address, name, found := strings.Cut(v, ",")
	a, err := bdaddr.Parse(address)
	if err != nil {
		return err
	}
	if !found {
		name = "PowerSpy 4567"
	}
	*m = append(*m, air.DeviceConfig{Address: a, Name: name})
	return nil
}

// run is the program: meters and commands around one controller.
func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer, open func() (io.ReadWriteCloser, error)) error {
	var (
		meters meterFlags
		flags  = flag.NewFlagSet("air", flag.ContinueOnError)
		pin    = flags.String("pin", "1234", "PIN of the meters")
		mode   = flags.Int("mode", 2, "security mode of the meters, 1 to 3")
		spec   = flags.String("sim", "", "what the meters do, as after \"sim:\" in the name of a simulated device")
		unit   = flags.Duration("inquiry-unit", air.InquiryUnit, "length of one of the 8 units of an inquiry")
		socket = flags.String("socket", "", "path of a unix socket for commands")
		trace  = flags.Bool("trace", false, "print all packets to standard error")
	)
	flags.Var(&meters, "meter", "`ADDRESS[,NAME]` of a meter; may be repeated (default 00:0B:CE:07:1D:32,PowerSpy 4567)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	simulation, err := sim.ParseSpec(*spec)
	if err != nil {
		return err
	}
	dial := func(m *sim.Meter) func(context.Context) (io.ReadWriteCloser, error) {
		return func(ctx context.Context) (io.ReadWriteCloser, error) { return m.Dial(ctx) }
	}
	cfg := air.Config{
		Dial: func(ctx context.Context, _ bdaddr.Address) (io.ReadWriteCloser, error) {
			return sim.New(simulation).Dial(ctx)
		},
		UnknownCommand: func(opcode uint16, params []byte) {
			fmt.Fprintf(os.Stderr, "air: unknown command 0x%04x % x\n", opcode, params)
		},
	}
	if *trace {
		cfg.Trace = func(toHost bool, p []byte) {
			fmt.Fprintf(os.Stderr, "%s % x\n", map[bool]string{false: ">", true: "<"}[toHost], p)
		}
	}
	c := air.New(cfg)
	c.SetInquiryUnit(*unit)
	if len(meters) == 0 {
		if err := meters.Set("00:0B:CE:07:1D:32"); err != nil {
			return err
		}
	}
	for _, m := range meters {
		m.PIN, m.SecurityMode, m.Dial = *pin, *mode, dial(sim.New(simulation))
		if _, err := c.Add(m); err != nil {
			return err
		}
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	defer work.Wait()
	if *socket != "" {
		l, err := net.Listen("unix", *socket)
		if err != nil {
			return err
		}
		work.Go(func() { serve(ctx, c, l) })
	}
	// Nothing can wake a read of standard input; the process ends with it pending.
	go converse(c, stdin, stdout)
	err = c.Serve(ctx, open)
	cancel()
	return err
}

// serve takes commands on a socket until ctx ends.
func serve(ctx context.Context, c *air.Controller, l net.Listener) {
	var work sync.WaitGroup
	defer work.Wait()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		work.Go(func() {
			defer conn.Close()
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			converse(c, conn, conn)
		})
	}
}

// converse runs the command in each line of r and writes to w what it says,
// then "ok", or "error: " and why.
func converse(c *air.Controller, r io.Reader, w io.Writer) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		out, err := c.Exec(lines.Text())
		answer := out + "ok\n"
		if err != nil {
			answer = "error: " + err.Error() + "\n"
		}
		if _, err := io.WriteString(w, answer); err != nil {
			return
		}
	}
}
