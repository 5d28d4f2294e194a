package air

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"powerspy2/bdaddr"
)

// errUsage is what every complaint about a text command wraps.
var errUsage = errors.New("air: command")

// A verb is one text command.
type verb struct {
	args   string // as the help shows them
	help   string
	device bool // takes a device's address first, or means the first device
	run    func(c *Controller, d *Device, args []string) (string, error)
}

// verbs is filled by init, because help refers to the table itself.
var verbs map[string]verb

func init() {
	verbs = map[string]verb{
		"help":   {"", "this list", false, func(*Controller, *Device, []string) (string, error) { return execHelp(), nil }},
		"list":   {"", "the devices and what happens to them", false, execList},
		"add":    {"ADDRESS NAME...", "put a device into the air", false, execAdd},
		"remove": {"", "take the device out of the air", true, execRemove},

		"away":      {"on|off", "out of reach", true, onOff((*Device).SetAway)},
		"hidden":    {"on|off", "not found by inquiry", true, onOff((*Device).SetHidden)},
		"busy":      {"on|off", "connected to another host", true, onOff((*Device).SetBusy)},
		"mute":      {"on|off", "pages of it never end", true, onOff((*Device).SetMute)},
		"refuse":    {"on|off", "refuses RFCOMM", true, onOff((*Device).SetRefuse)},
		"silent":    {"on|off", "says nothing on the serial port", true, onOff((*Device).SetSilent)},
		"latency":   {"DURATION", "delay of each answer", true, ofDuration((*Device).SetLatency)},
		"slow-name": {"DURATION", "delay of its name", true, ofDuration((*Device).SetNameDelay)},
		"no-name":   {"on|off", "name requests fail", true, onOff(setNoName)},
		"name":      {"NAME...", "another name", true, execName},
		"pin":       {"PIN", "another PIN", true, execPIN},
		"rssi":      {"DBM", "another signal strength", true, ofNumber(-128, 127, func(d *Device, n int) error { d.SetRSSI(int8(n)); return nil })},
		"channel":   {"1-30", "another RFCOMM channel", true, ofNumber(1, 30, func(d *Device, n int) error { return d.SetChannel(uint8(n)) })},
		"mode":      {"1-3", "another security mode", true, ofNumber(1, 3, (*Device).SetSecurityMode)},

		"forget-key":   {"", "forget the pairing", true, simply((*Device).ForgetKey)},
		"corrupt-key":  {"", "have another key than the host", true, simply((*Device).CorruptKey)},
		"drop-link":    {"[REASON]", "end the link, for reason 0x08 unless told", true, execDropLink},
		"drop-channel": {"", "close the RFCOMM channel (DISC)", true, whether((*Device).DropChannel, "no channel is open")},
		"drop-l2cap":   {"", "close L2CAP under RFCOMM", true, whether((*Device).DropL2CAP, "no channel is open")},
		"call":         {"", "raise a link to the host", true, whether((*Device).Call, "the host cannot be called")},

		"hung":   {"on|off", "the controller hangs", false, func(c *Controller, _ *Device, args []string) (string, error) { return "", execSwitch(args, c.SetHung) }},
		"unplug": {"", "pull the adapter out", false, func(c *Controller, _ *Device, _ []string) (string, error) { c.Unplug(); return "", nil }},
		"plug":   {"", "put the adapter in again", false, func(c *Controller, _ *Device, _ []string) (string, error) { c.Plug(); return "", nil }},
	}
}

// Exec runs one text command, such as "away on" or
// "drop-link 00:0B:CE:07:1D:32 0x15", and returns what it has to say. "help"
// lists them. The error is the user's mistake, or that there was nothing to do.
func (c *Controller) Exec(line string) (string, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return "", nil
	}
	name, args := words[0], words[1:]
	v, ok := verbs[name]
	if !ok {
		return "", fmt.Errorf("%w %q is not known: try help", errUsage, name)
	}
	var d *Device
	if v.device {
		var err error
		if d, args, err = c.selectDevice(args); err != nil {
			return "", err
		}
	}
	out, err := v.run(c, d, args)
	if errors.Is(err, errArguments) {
		return "", fmt.Errorf("%w %s: usage: %s%s %s", errUsage, name, name, selector(v), v.args)
	}
	return out, err
}

// errArguments is a verb's complaint about its arguments; Exec says what it takes.
var errArguments = errors.New("wrong arguments")

func selector(v verb) string {
	if v.device {
		return " [ADDRESS]"
	}
	return ""
}

// selectDevice takes the device's address from the front of args.
func (c *Controller) selectDevice(args []string) (*Device, []string, error) {
	if len(args) > 0 {
		if a, err := bdaddr.Parse(args[0]); err == nil {
			if d := c.Device(a); d != nil {
				return d, args[1:], nil
			}
			return nil, nil, fmt.Errorf("%w: no device %v in range", errUsage, a)
		}
	}
	devices := c.Devices()
	if len(devices) == 0 {
		return nil, nil, fmt.Errorf("%w: nothing in range", errUsage)
	}
	return devices[0], args, nil
}

func execHelp() string {
	names := make([]string, 0, len(verbs))
	for name := range verbs {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		v := verbs[name]
		fmt.Fprintf(&b, "%-40s %s\n", strings.TrimSpace(name+selector(v)+" "+v.args), v.help)
	}
	b.WriteString("Without an address the first device is meant.\n")
	return b.String()
}

func execList(c *Controller, _ *Device, _ []string) (string, error) {
	var b strings.Builder
	for _, d := range c.Devices() {
		s := d.Status()
		fmt.Fprintf(&b, "%v %q", s.Address, s.Name)
		for _, f := range []struct {
			on   bool
			word string
		}{{s.Away, "away"}, {s.Paired, "paired"}, {s.Linked, "linked"}, {s.Authenticated, "authenticated"}, {s.Encrypted, "encrypted"}, {s.Open, "open"}} {
			if f.on {
				b.WriteString(" " + f.word)
			}
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

func execAdd(c *Controller, _ *Device, args []string) (string, error) {
	if len(args) < 2 {
		return "", errArguments
	}
	address, err := bdaddr.Parse(args[0])
	if err != nil {
		return "", fmt.Errorf("%w add: %w", errUsage, err)
	}
	if c.cfg.Dial == nil {
		return "", fmt.Errorf("%w add: this controller has nothing to join a serial port to", errUsage)
	}
	_, err = c.Add(DeviceConfig{
		Address: address,
		Name:    strings.Join(args[1:], " "),
		Dial:    func(ctx context.Context) (io.ReadWriteCloser, error) { return c.cfg.Dial(ctx, address) },
	})
	return "", err
}

func execRemove(c *Controller, d *Device, _ []string) (string, error) {
	c.Remove(d)
	return "", nil
}

func execName(_ *Controller, d *Device, args []string) (string, error) {
	if len(args) == 0 {
		return "", errArguments
	}
	d.SetName(strings.Join(args, " "))
	return "", nil
}

func execPIN(_ *Controller, d *Device, args []string) (string, error) {
	if len(args) != 1 || len(args[0]) > maxPIN {
		return "", errArguments
	}
	d.SetPIN(args[0])
	return "", nil
}

func execDropLink(_ *Controller, d *Device, args []string) (string, error) {
	reason := uint64(ConnectionTimeout)
	if len(args) > 0 {
		var err error
		if reason, err = strconv.ParseUint(args[0], 0, 8); err != nil || reason == 0 || len(args) > 1 {
			return "", errArguments
		}
	}
	if !d.DropLink(Reason(reason)) {
		return "", errors.New("air: no link is up")
	}
	return "", nil
}

func setNoName(d *Device, on bool) {
	if on {
		d.SetNameFault(LMPResponseTimeout)
	} else {
		d.SetNameFault(Success)
	}
}

// execSwitch calls f with what the one argument says.
func execSwitch(args []string, f func(bool)) error {
	if len(args) != 1 || args[0] != "on" && args[0] != "off" {
		return errArguments
	}
	f(args[0] == "on")
	return nil
}

func onOff(f func(*Device, bool)) func(*Controller, *Device, []string) (string, error) {
	return func(_ *Controller, d *Device, args []string) (string, error) {
		return "", execSwitch(args, func(on bool) { f(d, on) })
	}
}

func ofDuration(f func(*Device, time.Duration)) func(*Controller, *Device, []string) (string, error) {
	return func(_ *Controller, d *Device, args []string) (string, error) {
		if len(args) != 1 {
			return "", errArguments
		}
		v, err := time.ParseDuration(args[0])
		if err != nil || v < 0 {
			return "", errArguments
		}
		f(d, v)
		return "", nil
	}
}

func ofNumber(low, high int, f func(*Device, int) error) func(*Controller, *Device, []string) (string, error) {
	return func(_ *Controller, d *Device, args []string) (string, error) {
		if len(args) != 1 {
			return "", errArguments
		}
		n, err := strconv.Atoi(args[0])
		if err != nil || n < low || n > high {
			return "", errArguments
		}
		return "", f(d, n)
	}
}

func simply(f func(*Device)) func(*Controller, *Device, []string) (string, error) {
	return func(_ *Controller, d *Device, _ []string) (string, error) {
		f(d)
		return "", nil
	}
}

func whether(f func(*Device) bool, otherwise string) func(*Controller, *Device, []string) (string, error) {
	return func(_ *Controller, d *Device, _ []string) (string, error) {
		if !f(d) {
			return "", errors.New("air: " + otherwise)
		}
		return "", nil
	}
}
