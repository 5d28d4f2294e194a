package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"powerspy2/bdaddr"
	"powerspy2/internal/harmless"
	"powerspy2/internal/patherr"
	"powerspy2/internal/xdg"
	"powerspy2/meter"
)

// A Config is the meters that were set up.
type Config struct {
	Meters []Meter // the default meter first

	// Unknown are the keys that this version doesn't know, each an error that
	// says where it is. They are kept.
	Unknown []error

	text string // of the file, to be changed
}

// A Meter is a meter that was set up.
type Meter struct {
	meter.Target

	table int // which [[meter]] of the file, from 1; 0: it is new
}

// file is the form on disk.
type file struct {
	Default string  `toml:"default,omitempty"`
	Meters  []entry `toml:"meter"`
}

type entry struct {
	Alias    string `toml:"alias,omitempty"`
	Name     string `toml:"name,omitempty"`
	Address  string `toml:"address,omitempty"`
	Adapter  string `toml:"adapter,omitempty"`
	Channel  int64  `toml:"channel,omitzero"`
	Unpaired bool   `toml:"unpaired,omitempty"`
	Device   string `toml:"device,omitempty"`
}

// An Error says what is wrong with a configuration file, and where.
type Error struct {
	File string
	Line int // from 1; 0: the file as a whole
	Err  error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Path returns where the configuration of this user is. getenv is os.Getenv. It
// is an error when neither XDG_CONFIG_HOME nor HOME says so.
func Path(getenv func(string) string) (string, error) {
	dir, err := xdg.Config(getenv)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "config.toml"), nil
}

// ErrNotRegular says that a pipe or a device is no configuration: reading it might
// wait for ever.
var ErrNotRegular = errors.New("not a regular file")

// Load reads the configuration at path. A file that does not exist is an empty
// configuration. What can't be read or understood is an *Error.
func Load(path string) (*Config, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil, &Error{File: path, Err: ErrNotRegular}
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Config{}, nil
	}
	if err != nil {
		return nil, &Error{File: path, Err: patherr.Bare(err)}
	}
	return parse(path, string(text))
}

func parse(path, text string) (*Config, error) {
	var f file
	md, err := toml.Decode(text, &f)
	var syntax toml.ParseError
	switch {
	case errors.As(err, &syntax):
		return nil, &Error{File: path, Line: syntax.Position.Line, Err: errors.New(syntax.Message)}
	case err != nil:
		return nil, typeError(path, err)
	}
	lines := indexLines(text)
	c, err := f.config(path, lines)
	if err != nil {
		return nil, err
	}
	c.text = text
	for _, key := range md.Undecoded() {
		c.Unknown = append(c.Unknown, &Error{File: path, Line: lines.anywhere(key.String()), Err: fmt.Errorf("unknown key %q", key)})
	}
	return c, nil
}

// typeMismatch is how the decoder words a value of the wrong type, for which it
// has no error type.
var typeMismatch = regexp.MustCompile(`^toml: line (\d+) \(last key ("[^"]*")\): (.*)$`)

func typeError(path string, err error) error {
	m := typeMismatch.FindStringSubmatch(err.Error())
	if m == nil {
		return &Error{File: path, Err: err}
	}
	line, aerr := strconv.Atoi(m[1])
	if aerr != nil {
		return &Error{File: path, Err: err}
	}
	return &Error{File: path, Line: line, Err: fmt.Errorf("%s: %s", m[2], m[3])}
}

// config checks what the file says and puts the default meter first.
func (f *file) config(path string, lines lineIndex) (*Config, error) {
	c := &Config{}
	chosen := -1
	for i, e := range f.Meters {
		t, key, err := e.target()
		if err != nil {
			return nil, &Error{File: path, Line: lines.of(i, key), Err: err}
		}
		if e.Alias != "" {
			if err := CheckAlias(e.Alias); err != nil {
				return nil, &Error{File: path, Line: lines.of(i, "alias"), Err: fmt.Errorf("alias %q: %w", e.Alias, err)}
			}
		}
		for _, other := range c.Meters {
			if t.Alias != "" && strings.EqualFold(t.Alias, other.Alias) {
				return nil, &Error{File: path, Line: lines.of(i, "alias"), Err: fmt.Errorf("alias %q is given to two meters", t.Alias)}
			}
		}
		if chosen < 0 && f.Default != "" && names(t, f.Default) {
			chosen = i
		}
		c.Meters = append(c.Meters, Meter{Target: t, table: i + 1})
	}
	if f.Default != "" && chosen < 0 {
		return nil, &Error{File: path, Line: lines.of(-1, "default"), Err: fmt.Errorf(
			"default %q is neither alias, name, address nor device of a [[meter]]", f.Default)}
	}
	if chosen > 0 {
		t := c.Meters[chosen]
		copy(c.Meters[1:chosen+1], c.Meters[:chosen])
		c.Meters[0] = t
	}
	return c, nil
}

// names reports whether the default entry s means t.
func names(t meter.Target, s string) bool {
	if s == "" {
		return false
	}
	if strings.EqualFold(t.Alias, s) || strings.EqualFold(t.Name, s) && t.Name != "" || t.Device() == s {
		return true
	}
	a, err := bdaddr.Parse(s)
	return err == nil && t.Kind == meter.Bluetooth && a == t.Address
}

// target returns the meter of an entry, or the key that is wrong with it.
func (e entry) target() (t meter.Target, key string, err error) {
	if e.Device != "" {
		if e.Address != "" || e.Name != "" || e.Adapter != "" || e.Channel != 0 || e.Unpaired {
			return t, "device", errors.New("device stands in place of address, name, adapter, channel and unpaired")
		}
		t, err = meter.ParseTarget(e.Device)
		t.Alias = e.Alias
		return t, "device", err
	}
	if e.Address == "" {
		return t, "", errors.New("a [[meter]] has neither address nor device")
	}
	// The name is the device's own choice, as it was stored once.
	t = meter.Target{Kind: meter.Bluetooth, Alias: e.Alias, Name: harmless.Text(e.Name), Unpaired: e.Unpaired}
	if t.Address, err = bdaddr.Parse(e.Address); err != nil {
		return t, "address", err
	}
	if e.Adapter != "" {
		if t.Adapter, err = bdaddr.Parse(e.Adapter); err != nil {
			return t, "adapter", err
		}
	}
	if e.Channel < 0 || e.Channel > 30 {
		return t, "channel", fmt.Errorf("channel %d is not one of 1 to 30", e.Channel)
	}
	t.Channel = uint8(e.Channel)
	return t, "", nil
}
