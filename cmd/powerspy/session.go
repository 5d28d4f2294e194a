package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"powerspy2/internal/cli"
	"powerspy2/internal/config"
	"powerspy2/internal/facts"
	"powerspy2/internal/progress"
	"powerspy2/internal/serve/client"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/rfcomm"
)

// A session is what a command about a meter works with.
type session struct {
	env        env
	progress   *progress.Teller
	gaps       progress.Gaps
	meter      meter.Config
	config     *config.Config
	configPath string // empty: this user has no place for one
	configErr  error  // why config, which was needed, is empty

	login  func(meter.Server) (client.Login, error)
	onMark func(measure.Mark) // of a server; nil: nobody wants to know
}

// session reads the global flags, and the configuration. Nothing is opened.
func (a *app) session(c *cli.Context) (*session, error) { return a.newSession(c, c.Bool(quietFlag)) }

// newSession is session, for a command that may be quiet without --quiet.
func (a *app) newSession(c *cli.Context, quiet bool) (*session, error) {
	s := &session{
		env:      a.env,
		progress: a.env.newProgress(quiet),
	}
	s.gaps.Line = s.progress.Line
	if err := needsMeter(c); err != nil {
		return nil, err
	}
	target, err := meter.ParseTarget(c.String(deviceFlag))
	if err != nil {
		return nil, err
	}
	pin, err := s.givenPIN(c)
	if err != nil {
		return nil, err
	}
	s.meter = meter.Config{
		Target:  target,
		Adapter: c.String(adapterFlag),
		PIN:     pin,
		Report:  s.progress.Report,

		Forerunner: rfcomm.SpawnForerunner,
	}
	if err := s.meter.Validate(); err != nil {
		return nil, err
	}
	if a.verbose = c.Bool(verboseFlag); a.verbose {
		s.meter.Trace = s.progress.Trace
	}
	if a.env.terminal != nil {
		s.meter.AskPIN, s.meter.Choose = s.askPIN, s.choose
	}
	// Without --device it is the configuration that says which meter is meant.
	// The doctor goes on, to look at all else.
	if err := s.loadConfig(); err != nil {
		needed := target.Kind == meter.Any
		if needed && c.Command.Words() != "doctor" {
			return nil, err
		}
		if needed {
			s.configErr = err
		}
		s.progress.Line("continuing without the configuration: %v", err)
	}
	s.meter.Remembered = s.config.Targets()
	if err := checkNoAddress(target, s.meter.Remembered); err != nil {
		return nil, err
	}
	learnt := facts.Load(a.env.getenv)
	s.meter.Recall = learnt.Recall
	s.meter.Learnt = func(t meter.Target, f meter.Facts) {
		// It is a cache: only the next start is slower.
		if err := learnt.Learn(t, f); err != nil && c.Bool(verboseFlag) {
			s.progress.Line("the calibration of %s is not remembered: %v", t, err)
		}
	}
	s.meter.Claim = s.claim
	s.login = s.parseLogin(c)
	return s, nil
}

// checkNoAddress refuses HOST:PORT without what stands before it, which would be looked
// for as the name of a meter, by Bluetooth and for long.
func checkNoAddress(t meter.Target, remembered []meter.Target) error {
	if t.Kind != meter.Named || slices.ContainsFunc(remembered, func(r meter.Target) bool { return r.Alias == t.Name }) {
		return nil
	}
	_, port, err := net.SplitHostPort(t.Name)
	if err != nil {
		return nil
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil
	}
	return advise(&meter.Error{Kind: meter.ErrDevice, Op: fmt.Sprintf("device %q", t.Name), Err: errors.New("what is at this address is not said")},
		"give a server as http://"+t.Name+", a meter as tcp://"+t.Name)
}

// remember makes t the default meter.
func (s *session) remember(t meter.Target) error {
	if s.configPath == "" {
		_, err := config.Path(s.env.getenv)
		return fmt.Errorf("remember %s: %w", t, err)
	}
	err := config.Update(s.configPath, func(c *config.Config) error {
		c.Remember(t)
		return nil
	})
	if err != nil {
		return fmt.Errorf("remember %s: %w", t, err)
	}
	return nil
}

// rememberFirst makes the meter that was found the default on a machine that had
// none.
func (s *session) rememberFirst(t meter.Target) {
	if t.Kind != meter.Bluetooth || len(s.config.Meters) > 0 {
		return
	}
	if err := s.remember(t); err != nil {
		// Measuring does not depend on it.
		s.progress.Line("%s", sentence(err))
	} else {
		s.progress.Line("remembered %s in %s", t, s.configPath)
	}
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

// interrupted reports whether ctx ended because the command was told to end.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err()))
}
