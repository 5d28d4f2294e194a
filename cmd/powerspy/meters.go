package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"powerspy2/internal/cli"
	"powerspy2/internal/config"
	"powerspy2/internal/harmless"
	"powerspy2/internal/screen"
)

func (a *app) metersCommand() *cli.Command {
	which := cli.Arg{Name: "METER", What: "a meter; `powerspy meters` lists them", Takes: cli.Text{Suggest: a.remembered}}
	c := &cli.Command{
		Name:  "meters",
		Usage: "list the remembered meters, rename or remove them, or choose the default",
		Description: `Without a subcommand it lists them; * marks the default. METER is an alias, an
address or device, or the start of a name. docs/configuration.md describes their
file.

Examples:

    powerspy meters
    powerspy meters rename 00:0B:CE:07:1D:32 bench
    powerspy meters default bench
    powerspy meters remove bench`,
		Action: a.metersList,
	}
	c.Commands = []*cli.Command{{
		Name:  "list",
		Usage: "list the remembered meters, the default first",
		Description: `Example:

    powerspy meters list`,
		Action: a.metersList,
	}, {
		Name:  "rename",
		Usage: "give a meter an alias, or with no ALIAS take it away",
		Args:  []cli.Arg{which, {Name: "ALIAS", What: "an alias", Takes: alias{}, Optional: true}},
		Description: `Example:

    powerspy meters rename 00:0B:CE:07:1D:32 bench`,
		Action: a.metersRename,
	}, {
		Name:  "remove",
		Usage: "forget a meter, and what was learned about it",
		Args:  []cli.Arg{which},
		Description: `Its pairing stays with BlueZ: ` + "`bluetoothctl remove ADDRESS`" + ` ends that.

Example:

    powerspy meters remove bench`,
		Action: a.metersRemove,
	}, {
		Name:  "default",
		Usage: "make a meter the one that is used without --device",
		Args:  []cli.Arg{which},
		Description: `Example:

    powerspy meters default bench`,
		Action: a.metersDefault,
	}}
	for _, sub := range append(c.Commands, c) {
		sub.Flags = a.quietFlags()
	}
	return c
}

// quietFlags are the global flags of commands that open no meter.
func (a *app) quietFlags() []*cli.Flag {
	return slices.DeleteFunc(a.globalFlags(), func(f *cli.Flag) bool { return f.Name == deviceFlag || f.Name == adapterFlag })
}

// An alias is a name of a user's own for a meter.
type alias struct{}

func (alias) Noun() string    { return "alias" }
func (alias) Use() string     { return "a plain name such as bench" }
func (alias) Words() []string { return nil }

func (alias) Parse(text string) (any, error) { return text, config.CheckAlias(text) }

func (a *app) metersList(c *cli.Context) error {
	s := &session{env: a.env, progress: a.env.newProgress(c.Bool(quietFlag))}
	if err := s.loadConfig(); err != nil {
		return err
	}
	if len(s.config.Meters) == 0 {
		s.progress.Line("no meter is remembered; type `powerspy setup`")
		return nil
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprint(w, "\tALIAS\tNAME\tDEVICE\tADAPTER\n"); err != nil {
		return err
	}
	for i, m := range s.config.Meters {
		mark, adapter := "", ""
		if i == 0 {
			mark = "*"
		}
		if !m.Adapter.IsZero() {
			adapter = m.Adapter.String()
		}
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", mark, dash(m.Alias), dash(m.Name), harmless.Text(m.Device()), dash(adapter)); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(a.env.stdout, screen.FitLines(table.String(), a.env.columns()))
	return err
}

// dash writes a value of a table.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return harmless.Text(s)
}

// changeMeter changes the meter that the first argument means, and says what
// became of it.
func (a *app) changeMeter(c *cli.Context, change func(*config.Config, *config.Meter) (told string, err error)) error {
	path, err := config.Path(a.env.getenv)
	if err != nil {
		return err
	}
	var told string
	err = config.Update(path, func(cfg *config.Config) error {
		m, err := cfg.Called(c.Arg(0))
		if err != nil {
			return c.Usagef("%w", err)
		}
		told, err = change(cfg, m)
		return err
	})
	if broken, ok := errors.AsType[*config.Error](err); ok {
		return &configError{broken}
	}
	if err != nil {
		return err
	}
	a.env.newProgress(c.Bool(quietFlag)).Line("%s", told)
	return nil
}

func (a *app) metersRename(c *cli.Context) error {
	alias := c.Arg(1)
	return a.changeMeter(c, func(cfg *config.Config, m *config.Meter) (string, error) {
		if err := cfg.Rename(m, alias); err != nil {
			return "", c.Usagef("%w; give another", err)
		}
		if alias == "" {
			return harmless.Text(m.Target.String()) + " no longer has an alias", nil
		}
		return fmt.Sprintf("%s is now %s", harmless.Text(m.Target.String()), alias), nil
	})
}

func (a *app) metersRemove(c *cli.Context) error {
	return a.changeMeter(c, func(cfg *config.Config, m *config.Meter) (string, error) {
		told := harmless.Text(m.Label()) + " was removed"
		wasDefault := m == &cfg.Meters[0]
		cfg.Remove(m)
		if wasDefault && len(cfg.Meters) > 0 {
			told += "; the default is now " + harmless.Text(cfg.Meters[0].Label())
		}
		return told, nil
	})
}

func (a *app) metersDefault(c *cli.Context) error {
	return a.changeMeter(c, func(cfg *config.Config, m *config.Meter) (string, error) {
		told := harmless.Text(m.Label()) + " is now the default"
		cfg.MakeDefault(m)
		return told, nil
	})
}
