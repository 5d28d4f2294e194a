package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"

	"powerspy2/internal/atomicfile"
	"powerspy2/internal/result"
	"powerspy2/internal/xdg"
	"powerspy2/meter"
)

// A memory is what earlier runs learnt of meters: a cache, whose loss costs the
// next start a second or two.
type memory struct {
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

// loadMemory reads the cache. One that is not there, or damaged, is empty: what
// it says counts only together with what the meter says.
func loadMemory(getenv func(string) string) *memory {
	dir, err := xdg.Cache(getenv)
	if err != nil {
		return &memory{}
	}
	m := &memory{path: filepath.Join(dir, "meters.json")}
	if text, err := os.ReadFile(m.path); err != nil || json.Unmarshal(text, &m.meters) != nil {
		m.meters = nil
	}
	return m
}

func (m *memory) recall(t meter.Target) (meter.Facts, bool) {
	if i := slices.IndexFunc(m.meters, func(r remembered) bool { return r.at(t) }); i >= 0 {
		return m.meters[i].Facts, true
	}
	// By another adapter: how much is left out depends on that, all else does not.
	i := slices.IndexFunc(m.meters, func(r remembered) bool { return r.Device == t.Device() })
	if i < 0 {
		return meter.Facts{}, false
	}
	f := m.meters[i].Facts
	f.Averaging = 0
	return f, true
}

// learn keeps what was learnt of the meter at a target. A simulated one in this
// process is new in each run.
func (m *memory) learn(t meter.Target, f meter.Facts) error {
	if m.path == "" || t.Kind == meter.Simulated {
		return nil
	}
	// Another run may have learnt something meanwhile.
	if text, err := os.ReadFile(m.path); err == nil {
		var now []remembered
		if json.Unmarshal(text, &now) == nil {
			m.meters = now
		}
	}
	m.meters = slices.DeleteFunc(m.meters, func(r remembered) bool { return r.at(t) })
	m.meters = slices.Insert(m.meters, 0, remembered{Device: t.Device(), Adapter: adapterOf(t), Facts: f})
	m.meters = m.meters[:min(len(m.meters), maxRemembered)]
	if err := os.MkdirAll(filepath.Dir(m.path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(m.path, 0o600, func(w io.Writer) error { return result.Write(w, m.meters) })
}
