package config

import (
	"errors"
	"fmt"
	"strings"

	"powerspy2/internal/harmless"
	"powerspy2/meter"
)

// CheckAlias returns an error unless s can be the alias of a meter: plain text,
// which drives no terminal, and which --device does not take for another kind
// of meter.
func CheckAlias(s string) error {
	if s == "" {
		return errors.New("it is empty")
	}
	if err := harmless.Check(s); err != nil {
		return err
	}
	if strings.TrimSpace(s) != s {
		return errors.New("it begins or ends with a blank")
	}
	if t, err := meter.ParseTarget(s); err != nil || t.Kind != meter.Named {
		return errors.New("it would be taken for a device")
	}
	return nil
}

// Targets returns where the meters are, the default first.
func (c *Config) Targets() []meter.Target {
	targets := make([]meter.Target, len(c.Meters))
	for i, m := range c.Meters {
		targets[i] = m.Target
	}
	return targets
}

// Of returns what is remembered of the meter at t, nil when it is not.
func (c *Config) Of(t meter.Target) *Meter {
	for i := range c.Meters {
		if m := &c.Meters[i]; same(m.Target, t) {
			return m
		}
	}
	return nil
}

func same(t, u meter.Target) bool { return t.Kind == u.Kind && t.Device() == u.Device() }

// Called finds the meter that s means: by its whole alias, its address or
// device, or else its name or the start of that. Where s is the start of several
// names the error lists them.
func (c *Config) Called(s string) (*Meter, error) {
	for i := range c.Meters {
		if m := &c.Meters[i]; names(m.Target, s) {
			return m, nil
		}
	}
	var found []*Meter
	var all []string
	for i := range c.Meters {
		m := &c.Meters[i]
		all = append(all, m.Label())
		if s != "" && len(m.Name) >= len(s) && strings.EqualFold(m.Name[:len(s)], s) {
			found = append(found, m)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		all = all[:0]
		for _, m := range found {
			all = append(all, m.Device())
		}
		return nil, fmt.Errorf("%q matches several meters: %s", s, strings.Join(all, ", "))
	case len(all) == 0:
		return nil, errors.New("no meter is remembered")
	}
	return nil, fmt.Errorf("no remembered meter is called %q; there are %s", s, strings.Join(all, ", "))
}

// Label names a meter as briefly as can be: by its alias, or its device.
func (m *Meter) Label() string {
	if m.Alias != "" {
		return m.Alias
	}
	return m.Device()
}

// Remember makes t the default meter. What was known of the same meter (its
// alias, say) is kept where t says nothing.
func (c *Config) Remember(t meter.Target) {
	m := Meter{Target: t}
	if old := c.Of(t); old != nil {
		m = *old
		m.Target = t
		if t.Alias == "" {
			m.Alias = old.Alias
		}
		if t.Name == "" {
			m.Name = old.Name
		}
		c.Remove(old)
	}
	// An alias names one meter: the last one that got it.
	for i := range c.Meters {
		if m.Alias != "" && strings.EqualFold(c.Meters[i].Alias, m.Alias) {
			c.Meters[i].Alias = ""
		}
	}
	c.Meters = append([]Meter{m}, c.Meters...)
}

// Rename gives one of the meters an alias, or none if that is empty. The error
// is that of CheckAlias, or says which meter has it.
func (c *Config) Rename(m *Meter, alias string) error {
	if alias != "" {
		if err := CheckAlias(alias); err != nil {
			return fmt.Errorf("alias %q: %w", alias, err)
		}
	}
	for i := range c.Meters {
		if other := &c.Meters[i]; other != m && alias != "" && strings.EqualFold(other.Alias, alias) {
			return fmt.Errorf("%s is already called %q", other.Target, other.Alias)
		}
	}
	m.Alias = alias
	return nil
}

// Remove forgets one of the meters.
func (c *Config) Remove(m *Meter) {
	for i := range c.Meters {
		if m == &c.Meters[i] {
			rest := append([]Meter(nil), c.Meters[:i]...)
			c.Meters = append(rest, c.Meters[i+1:]...)
			return
		}
	}
}

// MakeDefault makes one of the meters the default.
func (c *Config) MakeDefault(m *Meter) {
	chosen := *m
	c.Remove(m)
	c.Meters = append([]Meter{chosen}, c.Meters...)
}
