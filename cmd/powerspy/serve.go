package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"powerspy2/internal/cli"
	"powerspy2/internal/harmless"
	"powerspy2/internal/owner"
	"powerspy2/internal/serve"
	"powerspy2/measure"
	"powerspy2/meter"
)

const (
	listenFlag = "listen"
	keepFlag   = "keep"
)

func (a *app) serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "let many programs read a meter at once, here and on other machines",
		Description: `Measures with a meter, or several, and hands every window to everybody who
may read it, at once: JSON over HTTP, on a Unix socket that only you may open
unless --listen says otherwise. It runs until Ctrl-C, and remembers an hour.

Examples:

    powerspy serve
    powerspy serve --device sim: --listen unix:/tmp/meter.sock
    powerspy serve --listen 127.0.0.1:8080`,
		Flags: append([]*cli.Flag{
			{Name: listenFlag, Takes: cli.Text{}, Repeats: true, Usage: "listen on `ADDRESS`: unix:PATH, or HOST:PORT; may be given again"},
			{Name: keepFlag, Takes: cli.Duration{Examples: "10m, 1h, 24h"}, Default: "1h", Usage: "remember `TIME`"},
			pinFile(), pin(),
		}, slices.Concat(streamFlags(), recoveryFlags(), a.manyDevices())...),
		Action: a.serve,
	}
}

// manyDevices are the global flags of a command that takes more than one meter.
func (a *app) manyDevices() []*cli.Flag {
	flags := a.globalFlags()
	i := slices.IndexFunc(flags, func(f *cli.Flag) bool { return f.Name == deviceFlag })
	many := *flags[i]
	many.Repeats = true
	many.Usage += "; may be given again"
	flags[i] = &many
	return flags
}

func (a *app) serve(c *cli.Context) error {
	s, err := a.session(c)
	if err != nil {
		return err
	}
	defer s.progress.End()
	sv := &serving{session: s, stream: parseStream(c, 0)}
	if sv.recovery, err = parseRecovery(c); err != nil {
		return err
	}
	cfg := serve.Config{Keep: c.Duration(keepFlag), Tool: toolVersion(), Log: func(line string) { s.progress.Line("%s", line) }}
	if cfg.Meters, err = sv.meters(deviceTexts(c)); err != nil {
		return err
	}
	listeners, err := sv.listen(c)
	if err != nil {
		return err
	}
	server, err := serve.New(cfg)
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	return server.Run(c.Context, listeners...)
}

// deviceTexts are what --device was given.
func deviceTexts(c *cli.Context) []string {
	var texts []string
	for _, v := range cli.Values(c, deviceFlag) {
		texts = append(texts, v.(string))
	}
	if texts == nil {
		texts = []string{""}
	}
	return texts
}

// serving is what `serve` works with.
type serving struct {
	*session
	stream   meter.StreamConfig
	recovery meter.Recovery
	socket   string // the first Unix socket that is listened on

	facts sync.Mutex // around what is learnt
}

// meters returns the meters that devices name.
func (s *serving) meters(devices []string) ([]serve.MeterConfig, error) {
	var list []serve.MeterConfig
	for _, text := range devices {
		target, err := meter.ParseTarget(text)
		if err != nil {
			return nil, err
		}
		name := s.name(target)
		if target.Kind == meter.Simulated {
			name = simulatorName(list)
		}
		if slices.ContainsFunc(list, func(m serve.MeterConfig) bool { return m.Name == name }) {
			return nil, &meter.Error{Kind: meter.ErrUsage, Op: fmt.Sprintf("device %q", text), Err: fmt.Errorf("the meter %s is given twice", name)}
		}
		list = append(list, serve.MeterConfig{Name: name, Target: target, Open: s.opener(name, target)})
	}
	return list, nil
}

// simulatorName returns sim, sim2, sim3 and so on.
func simulatorName(list []serve.MeterConfig) string {
	n := 1
	for _, m := range list {
		if m.Target.Kind == meter.Simulated {
			n++
		}
	}
	if n == 1 {
		return "sim"
	}
	return fmt.Sprintf("sim%d", n)
}

// name returns what a meter is served as: its alias, its name, or its address.
func (s *serving) name(t meter.Target) string {
	switch t.Kind {
	case meter.Any:
		if len(s.config.Meters) == 0 {
			return "powerspy"
		}
		t = s.config.Meters[0].Target
	case meter.TCP:
		return t.Host
	}
	known := s.config.Of(t)
	if known == nil && t.Kind == meter.Named {
		known, _ = s.config.Called(t.Name) // else it is looked for
	}
	if known != nil {
		t = known.Target
	}
	return harmless.Text(cmp.Or(t.Alias, t.Name, t.Device()))
}

// opener returns what begins to measure with a meter.
func (s *serving) opener(name string, t meter.Target) func(context.Context, func(meter.Status)) (measure.Source, error) {
	return func(ctx context.Context, report func(meter.Status)) (measure.Source, error) {
		cfg := s.meter
		cfg.Target, cfg.AskPIN, cfg.Choose = t, nil, nil
		cfg.Report = report
		cfg.Claim = s.claimServed
		if cfg.Trace != nil {
			cfg.Trace = func(sent bool, p []byte) { s.progress.trace(sent, p) }
		}
		learnt := cfg.Learnt
		cfg.Learnt = func(t meter.Target, f meter.Facts) {
			s.facts.Lock()
			defer s.facts.Unlock()
			learnt(t, f)
		}
		recall := cfg.Recall
		cfg.Recall = func(t meter.Target) (meter.Facts, bool) {
			s.facts.Lock()
			defer s.facts.Unlock()
			return recall(t)
		}
		return meter.Supervise(ctx, cfg, s.stream, s.recovery)
	}
}

// claimServed takes a meter, and says where it can be read.
func (s *serving) claimServed(t meter.Target) (release func() error, err error) {
	me := owner.Self(s.env.args)
	me.Socket = s.socket
	return s.takeAs("the meter", owner.Key(t), me)
}

// listen opens what is listened on.
func (s *serving) listen(c *cli.Context) (listeners []*serve.Listener, err error) {
	var addresses []string
	for _, v := range cli.Values(c, listenFlag) {
		addresses = append(addresses, v.(string))
	}
	if addresses == nil {
		path, err := s.usualSocket()
		if err != nil {
			return nil, err
		}
		addresses = []string{"unix:" + path}
	}
	for _, a := range addresses {
		path, ok := strings.CutPrefix(a, "unix:")
		if !ok {
			return nil, errors.Join(c.Usagef("--listen %s: not unix:PATH", a), closeAll(listeners))
		}
		if path, err = filepath.Abs(path); err == nil {
			var l *serve.Listener
			if l, err = serve.ListenUnix(path, serve.SocketConfig{Group: -1}); err == nil {
				listeners = append(listeners, l)
				s.socket = cmp.Or(s.socket, path)
			}
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %s: %w", a, err), closeAll(listeners))
		}
	}
	return listeners, nil
}

// usualSocket is where a server listens that is told nothing.
func (s *serving) usualSocket() (string, error) { return serveSocket(s.env.getenv) }

// serveSocket returns the path of the socket of a server that was told none: of a
// service in its directory, else in this user's.
func serveSocket(getenv func(string) string) (string, error) {
	if dir := getenv("RUNTIME_DIRECTORY"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "powerspy.sock"), nil
	}
	dir, err := owner.Directory(getenv)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "serve.sock"), nil
}

// closeAll closes listeners.
func closeAll(listeners []*serve.Listener) error {
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
