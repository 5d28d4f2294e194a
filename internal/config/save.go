package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"powerspy2/internal/atomicfile"
	"powerspy2/internal/harmless"
	"powerspy2/meter"
)

// Update changes the configuration at path: what other processes have written
// since it was read is kept. Errors are those of Load, change and Save.
func Update(path string, change func(*Config) error) error {
	c, err := Load(path)
	if err != nil {
		return err
	}
	if err := change(c); err != nil {
		return err
	}
	return c.Save(path)
}

// Save writes the configuration to path, all of it or nothing: to a new file
// beside it which then takes its place. What has not changed since it was
// loaded stays as it is written, with comments and unknown keys. The file is
// readable by its owner only; missing directories are made likewise. A symbolic
// link stays one.
func (c *Config) Save(path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the configuration: %w", err)
		}
	}()
	for i := range c.Meters {
		c.Meters[i].Name = harmless.Text(c.Meters[i].Name) // the device's own choice
	}
	text, err := c.render(path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	err = atomicfile.Write(path, 0o600, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	if err != nil {
		return err
	}
	c.saved(path, text)
	return nil
}

// saved takes note of what the file is now.
func (c *Config) saved(path, text string) {
	c.text = text
	if now, err := parse(path, text); err == nil { // verified before
		for i := range c.Meters {
			c.Meters[i].table = now.Of(c.Meters[i].Target).table
		}
	}
}

// about begins a new file.
const about = "# Meters that `powerspy setup` has set up; the default is used when --device is not given.\n"

// render returns the text of the file, changed where the configuration is
// another than the text's.
func (c *Config) render(path string) (string, error) {
	text := c.text
	if text == "" {
		text = about
	}
	before, err := parse(path, text)
	if err != nil {
		return "", err
	}
	d := parseDocument(text)
	groups := d.groups()
	if len(groups) != len(before.Meters) {
		return "", errForeign
	}
	d.tables[0].change(before.top(), c.top())
	known := map[int]Meter{}
	for _, m := range before.Meters {
		known[m.table] = m
	}
	kept := map[int]bool{}
	for _, m := range c.Meters {
		old, ok := known[m.table]
		g := (*group)(nil)
		if ok && m.table > 0 {
			kept[m.table] = true
			g = groups[m.table-1]
		} else {
			g = d.add()
		}
		if err := g.change(old, m); err != nil {
			return "", err
		}
	}
	for i, g := range groups {
		if !kept[i+1] {
			g.remove()
		}
	}
	return d.String(), c.verify(path, d.String())
}

// errForeign is a file that is TOML as a program may write it.
var errForeign = errors.New("its meters are written in a way that can't be changed here; write each as a [[meter]] with one key per line")

// verify compares the configuration with what its text says.
func (c *Config) verify(path, text string) error {
	got, err := parse(path, text)
	if err != nil {
		return err
	}
	same := len(got.Meters) == len(c.Meters)
	for _, m := range c.Meters {
		there := got.Of(m.Target)
		same = same && there != nil && reflect.DeepEqual(m.entry(), there.entry())
	}
	if !same || len(c.Meters) > 0 && !got.Meters[0].Equal(c.Meters[0].Target) {
		return errForeign
	}
	return nil
}

// top is what stands above all tables.
func (c *Config) top() []setting {
	if len(c.Meters) == 0 {
		return nil
	}
	all, _ := settings(struct { // a string is encoded without an error
		Default string `toml:"default"`
	}{c.Meters[0].Label()})
	return all
}

// entry is the form on disk.
func (m *Meter) entry() entry {
	e := entry{Alias: m.Alias}
	if m.Kind != meter.Bluetooth {
		e.Device = m.Device()
		return e
	}
	e.Name, e.Address, e.Channel, e.Unpaired = m.Name, m.Address.String(), int64(m.Channel), m.Unpaired
	if !m.Adapter.IsZero() {
		e.Adapter = m.Adapter.String()
	}
	return e
}

// change writes what is new about a meter.
func (g *group) change(from, to Meter) error {
	var before []setting
	if from.Kind != meter.Any {
		var err error
		if before, err = settings(from.entry()); err != nil {
			return err
		}
	}
	after, err := settings(to.entry())
	if err != nil || slices.Equal(before, after) {
		return err
	}
	g.tables[0].change(before, after)
	return nil
}
