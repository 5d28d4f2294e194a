package owner

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"powerspy2/meter"
)

// Key returns what all claims of one meter have in common. It is empty for a
// target that needs no claim: each simulated meter is another one.
func Key(t meter.Target) string {
	switch t.Kind {
	case meter.Bluetooth:
		return t.Address.String()
	case meter.Serial:
		path := t.Path
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		// A line of several names, as in /dev/serial/by-id, is one line.
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		return path
	case meter.TCP:
		return "tcp://" + hostKey(t.Host)
	}
	return ""
}

// hostKey writes host:port as one of its spellings. A name of another machine is
// not looked up: it may lead elsewhere the next time.
func hostKey(hostport string) string {
	host, port, err := net.SplitHostPort(strings.ToLower(hostport))
	if err != nil {
		return strings.ToLower(hostport)
	}
	if n, err := net.LookupPort("tcp", port); err == nil {
		port = strconv.Itoa(n)
	}
	host = strings.TrimSuffix(host, ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.Unmap().String()
	}
	if host == "127.0.0.1" || host == "::1" {
		host = "localhost" // which leads to one of them
	}
	return net.JoinHostPort(host, port)
}

// maxName is the longest name that a file may have, less what is added to it.
const maxName = 255 - len(suffix)

// suffix ends the names of all lock files.
const suffix = ".lock"

// fileName returns the name of the file of a key. It has no slash in it.
func fileName(key string) string {
	name := url.PathEscape(key)
	if len(name) > maxName {
		sum := sha256.Sum256([]byte(key))
		name = hex.EncodeToString(sum[:])
	}
	return name + suffix
}
