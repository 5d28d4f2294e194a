package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"powerspy2/internal/config"
	"powerspy2/meter"
)

// A session is what a command about a meter works with.
type session struct {
	env        env
	progress   *progress
	meter      meter.Config
	config     *config.Config
	configPath string // empty: this user has no place for one
}

// session reads the global flags, and the configuration. Nothing is opened.
func (a *app) session(c *cli.Context) (*session, error) {
	quiet := boolFlag(c, quietFlag)
	s := &session{
		env:      a.env,
		progress: &progress{w: a.env.stderr, terminal: a.env.stderrTerminal, quiet: quiet},
	}
	target, err := meter.ParseTarget(stringFlag(c, deviceFlag))
	if err != nil {
		return nil, err
	}
	s.meter = meter.Config{
		Target:  target,
		Adapter: stringFlag(c, adapterFlag),
		PIN:     c.String(pinFlag), // of the commands that have it
		Report:  s.progress.Report,
	}
	if c.IsSet(pinFlag) && s.meter.PIN == "" {
		return nil, usagef(c, "the PIN is empty; give 1 to 16 characters")
	}
	if err := s.meter.Validate(); err != nil {
		return nil, err
	}
	if boolFlag(c, verboseFlag) {
		s.meter.Trace = s.progress.trace
	}
	if a.env.terminal != nil {
		s.meter.AskPIN, s.meter.Choose = s.askPIN, s.choose
	}
	// A user without a home, as services may be, has no configuration.
	s.config = &config.Config{}
	if path, err := config.Path(a.env.getenv); err == nil {
		s.configPath = path
		if s.config, err = config.Load(path); err != nil {
			return nil, err
		}
	}
	s.meter.Remembered = s.config.Meters
	s.meter.Claim = s.claim
	return s, nil
}

const pinFlag = "pin"

func pin() cli.Flag {
	return &cli.StringFlag{Name: pinFlag, Usage: "the meter's `PIN`, in place of the usual 1234 and 0000"}
}

// remember makes t the default meter.
func (s *session) remember(t meter.Target) error {
	if s.configPath == "" {
		_, err := config.Path(s.env.getenv)
		return fmt.Errorf("remember %s: %w", t, err)
	}
	s.config.Remember(t)
	if err := s.config.Save(s.configPath); err != nil {
		return fmt.Errorf("remember %s: %w", t, err)
	}
	return nil
}

// closing adds the failure of a close to what failed before it, if anything.
func closing(err *error, m interface {
	Close() error
	Target() meter.Target
}) {
	if cerr := m.Close(); cerr != nil && *err == nil {
		*err = fmt.Errorf("close %s: %w", m.Target(), cerr)
	}
}

// interrupted tells that ctx ended because the command was told to end.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err()))
}
