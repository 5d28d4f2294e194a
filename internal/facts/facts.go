// Package facts keeps what earlier runs learnt of meters, in a cache whose loss costs
// the next start a second or two.
package facts

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"

	"powerspy2/internal/atomicfile"
	"powerspy2/internal/xdg"
	"powerspy2/meter"
)

// A Cache is what earlier runs learnt of meters.
type Cache struct {
	path   string // empty: this user has no place for one
	meters []remembered
}

// A remembered is what was learnt of the meter at a device, by an adapter. The
// newest come first.
type remembered struct {
	Device  string `json:"device"`
	Adapter string `json:"adapter,omitempty"` // address; none of a meter that is not reached by Bluetooth
	meter.Facts
}

// at reports whether it is of a target.
func (r *remembered) at(t meter.Target) bool {
	return r.Device == t.Device() && r.Adapter == adapterOf(t)
}

// adapterOf returns the address of the adapter by which a target is reached.
func adapterOf(t meter.Target) string {
	if t.Adapter.IsZero() {
		return ""
	}
	return t.Adapter.String()
}

// maxRemembered bounds the cache: ports of simulated meters come and go.
const maxRemembered = 64

// Load reads the cache. One that is not there, or damaged, is empty: what
// it says counts only together with what the meter says.
func Load(getenv func(string) string) *Cache {
	dir, err := xdg.Cache(getenv)
	if err != nil {
		return &Cache{}
	}
	c := &Cache{path: filepath.Join(dir, "meters.json")}
	if text, err := os.ReadFile(c.path); err != nil || json.Unmarshal(text, &c.meters) != nil {
		c.meters = nil
	}
	return c
}

// Recall returns what was learnt of the meter at a target.
func (c *Cache) Recall(t meter.Target) (meter.Facts, bool) {
	if i := slices.IndexFunc(c.meters, func(r remembered) bool { return r.at(t) }); i >= 0 {
		return c.meters[i].Facts, true
	}
	// By another adapter: how much is left out depends on that, all else does not.
	i := slices.IndexFunc(c.meters, func(r remembered) bool { return r.Device == t.Device() })
	if i < 0 {
		return meter.Facts{}, false
	}
	f := c.meters[i].Facts
	f.Averaging = 0
	return f, true
}

// Learn keeps what was learnt of the meter at a target. A simulated one in this
// process is new in each run.
func (c *Cache) Learn(t meter.Target, f meter.Facts) error {
	if c.path == "" || t.Kind == meter.Simulated {
		return nil
	}
	// Another run may have learnt something meanwhile.
	if text, err := os.ReadFile(c.path); err == nil {
		var now []remembered
		if json.Unmarshal(text, &now) == nil {
			c.meters = now
		}
	}
	c.meters = slices.DeleteFunc(c.meters, func(r remembered) bool { return r.at(t) })
	c.meters = slices.Insert(c.meters, 0, remembered{Device: t.Device(), Adapter: adapterOf(t), Facts: f})
	c.meters = c.meters[:min(len(c.meters), maxRemembered)]
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(c.path, 0o600, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(c.meters)
	})
}
