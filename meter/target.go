package meter

import (
	"cmp"
	"fmt"
	"net"
	"strings"

	"powerspy2/bdaddr"
	"powerspy2/powerspy/sim"
)

// A Kind is the way in which a meter is reached.
type Kind uint8

// Kinds of targets.
const (
	Any       Kind = iota // nothing said: the remembered, the paired, or the discovered meter
	Named                 // a Bluetooth device by (the start of) its name or alias
	Bluetooth             // a Bluetooth device by address
	Serial                // a serial line such as /dev/rfcomm0 or a pseudo-terminal
	TCP                   // a TCP port that carries the meter's bytes
	Simulated             // the simulated meter in this process
	File                  // no meter, but what was recorded of one: see OpenReplay
	Served                // a meter at a server, which this package does not open
)

// String returns the kind in plain words.
func (k Kind) String() string {
	switch k {
	case Any:
		return "any meter"
	case Named:
		return "name"
	case Bluetooth:
		return "Bluetooth"
	case Serial:
		return "serial line"
	case TCP:
		return "TCP"
	case Simulated:
		return "simulated"
	case File:
		return "file"
	case Served:
		return "server"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// A Target says where a meter is. Its zero value is any meter.
type Target struct {
	Kind    Kind           // says which of the others count
	Address bdaddr.Address // Bluetooth
	Name    string         // Bluetooth: as advertised, may be empty; Named: what was asked for
	Alias   string         // a name of the user's own for a remembered meter, may be empty
	Adapter bdaddr.Address // Bluetooth: the adapter to use; zero: whichever knows the meter
	Channel uint8          // Bluetooth: RFCOMM channel, 1 to 30; 0: 1, or what the meter's service record says
	// Unpaired: Bluetooth: it refuses to pair, and is connected to without: anybody could listen.
	Unpaired bool
	Path     string // Serial: path of the device; File: of the file
	Host     string // TCP: host:port
	Sim      string // Simulated: parameters, see package sim
	Server   Server // Served: where it is; Address and Name are then as the server has told
	There    string // Served: the Device by which the server reaches it; empty: that is not known

	sim *simulated // Simulated: the meter, for ParseTarget's targets and their copies
}

// Equal reports whether two targets say the same.
func (t Target) Equal(u Target) bool {
	t.sim, u.sim = nil, nil
	return t == u
}

// ParseTarget reads the text form of a target:
//
//	00:0B:CE:07:1D:32        a Bluetooth address, also with dashes, in upper or lower case
//	PowerSpy 4567            a Bluetooth name, the start of one, or a remembered alias
//	/dev/rfcomm0             a path: anything with a slash
//	tcp://host:port          a TCP port
//	unix:/path:name          a meter at the server of a unix socket; :name may be missing where it has one meter
//	https://host:port/name   a meter at a server, also http:// and user@host; /name may be missing
//	sim:load=wave,stall=0.02 the simulated meter and its parameters
//
// The empty string is any meter. Every copy of a simulated target is the same
// meter: opened again, it is as it was left. It opens nothing. Errors match
// ErrDevice.
func ParseTarget(device string) (Target, error) {
	usage := func(err error) (Target, error) {
		return Target{}, &Error{Kind: ErrDevice, Op: fmt.Sprintf("device %q", device), Err: err}
	}
	switch {
	case device == "":
		return Target{Kind: Any}, nil
	case strings.TrimSpace(device) == "":
		return usage(fmt.Errorf("only blanks"))
	case strings.HasPrefix(device, "sim:"), device == "sim":
		spec := strings.TrimPrefix(strings.TrimPrefix(device, "sim"), ":")
		if _, err := sim.ParseSpec(spec); err != nil {
			return usage(err)
		}
		return Target{Kind: Simulated, Sim: spec, sim: new(simulated)}, nil
	case strings.HasPrefix(device, "tcp://"):
		host := strings.TrimPrefix(device, "tcp://")
		h, port, err := net.SplitHostPort(host)
		if err != nil {
			return usage(err)
		}
		if h == "" || port == "" {
			return usage(fmt.Errorf("host or port is missing"))
		}
		if _, err := net.LookupPort("tcp", port); err != nil {
			return usage(fmt.Errorf("%q is not a TCP port", port))
		}
		return Target{Kind: TCP, Host: host}, nil
	case isServer(device):
		s, err := parseServer(device)
		if err != nil {
			// Which may hold a password.
			if at := strings.LastIndex(device, "@"); at >= 0 {
				device = device[:strings.Index(device, ":")] + ":..." + device[at:]
			}
			return usage(err)
		}
		return Target{Kind: Served, Server: s}, nil
	case strings.Contains(device, "://"):
		return usage(fmt.Errorf("unknown kind of link %q", device[:strings.Index(device, "://")+3]))
	case strings.Contains(device, "/"):
		return Target{Kind: Serial, Path: device}, nil
	}
	a, err := bdaddr.Parse(device)
	if err == nil {
		if a.IsZero() {
			return usage(fmt.Errorf("not the address of a device"))
		}
		return Target{Kind: Bluetooth, Address: a}, nil
	}
	if looksLikeAddress(device) {
		return usage(err)
	}
	return Target{Kind: Named, Name: device}, nil
}

// looksLikeAddress tells a mistyped address from a name: it is made of
// hexadecimal digits and separators only, with at least two separators.
func looksLikeAddress(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF:-") == "" && strings.Count(s, ":")+strings.Count(s, "-") >= 2
}

// String returns the target as a person would name it.
func (t Target) String() string {
	switch t.Kind {
	case Any:
		return "any PowerSpy"
	case Named:
		return t.Name
	case Bluetooth:
		if t.Name == "" {
			return t.Address.String()
		}
		return fmt.Sprintf("%s (%s)", t.Name, t.Address)
	case Serial, File:
		return t.Path
	case TCP:
		return "tcp://" + t.Host
	case Simulated:
		return "sim:" + t.Sim
	case Served:
		return t.Server.String()
	}
	return t.Kind.String()
}

// Device returns the text form that ParseTarget reads.
func (t Target) Device() string {
	if t.Kind == Bluetooth {
		return t.Address.String()
	}
	if t.Kind == Any {
		return ""
	}
	return t.String()
}

// Label returns a name for the meter that is short: its alias, its advertised name, or
// Device.
func (t Target) Label() string { return cmp.Or(t.Alias, t.Name, t.Device()) }

// IsSimulated reports whether it is a simulated meter, here or at a server.
func (t Target) IsSimulated() bool {
	return t.Kind == Simulated || t.Kind == Served && strings.HasPrefix(t.There, "sim:")
}

// called reports whether the target goes by this name: its alias whole, or the
// start of its advertised name, in upper or lower case.
func (t Target) called(name string) bool {
	return strings.EqualFold(t.Alias, name) && name != "" || hasPrefixFold(t.Name, name)
}

// hasPrefixFold is strings.HasPrefix for names as people type them.
func hasPrefixFold(s, prefix string) bool {
	return prefix != "" && len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
