package owner

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path/filepath"
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
		return "tcp://" + strings.ToLower(t.Host)
	}
	return ""
}

// maxName is the longest name that a file may have, less what is added to it.
const maxName = 255 - len(".lock")

// fileName returns the name of the file of a key. It has no slash in it.
func fileName(key string) string {
	name := url.PathEscape(key)
	if len(name) > maxName {
		sum := sha256.Sum256([]byte(key))
		name = hex.EncodeToString(sum[:])
	}
	return name + ".lock"
}
