package config

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"

	"powerspy2/internal/atomicfile"
	"powerspy2/meter"
)

// Save writes the configuration to path, all of it or nothing: to a new file
// beside it which then takes its place. The file is readable by its owner only;
// missing directories are made likewise. A symbolic link stays one.
func (c *Config) Save(path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the configuration: %w", err)
		}
	}()
	text, err := c.encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(path, 0o600, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

func (c *Config) encode() ([]byte, error) {
	var f file
	for _, t := range c.Meters {
		e := entry{Alias: t.Alias}
		if t.Kind == meter.Bluetooth {
			e.Name = t.Name
			e.Address = t.Address.String()
			e.Channel = int64(t.Channel)
			if !t.Adapter.IsZero() {
				e.Adapter = t.Adapter.String()
			}
		} else {
			e.Device = t.Device()
		}
		f.Meters = append(f.Meters, e)
	}
	if len(c.Meters) > 0 {
		f.Default = c.Meters[0].Alias
		if f.Default == "" {
			f.Default = c.Meters[0].Device()
		}
	}
	var b bytes.Buffer
	b.WriteString("# Meters that `powerspy setup` has set up; the default is used when --device is not given.\n")
	enc := toml.NewEncoder(&b)
	enc.Indent = ""
	if err := enc.Encode(f); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
