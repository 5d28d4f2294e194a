package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/serve"
	"powerspy2/internal/serve/api"
	"powerspy2/internal/shell"
	"powerspy2/meter"
)

const (
	listenFlag      = "listen"
	keepFlag        = "keep"
	webConfigFlag   = "web.config.file"
	allowedHostFlag = "allowed-host"
	socketModeFlag  = "socket-mode"
	socketGroupFlag = "socket-group"
)

func (a *app) serveCommand() *cli.Command {
	const network = "Who may read"
	return &cli.Command{
		Name:  "serve",
		Usage: "let many programs read a meter at once, here and on other machines",
		Description: `Measures with a meter, or several, and hands every window to everybody who may
read it, at once: JSON over HTTP, on a Unix socket that only you may open unless
--listen says otherwise. It runs until Ctrl-C, and remembers an hour. A meter that
is away is waited for, and disturbs no other one. docs/serve.md tells all of it.

Nothing is open to the network by itself. What is listened on beyond this machine
needs --web.config.file with TLS and passwords, or client certificates: what a
machine draws tells what it does. A port of the loopback can be read by all users
of this machine. On SIGHUP the web configuration is read again.

--record DIR keeps every window, in a file for each meter and day.
Over TCP a browser is shown a live page.

Examples:

    powerspy serve
    powerspy serve --device sim: --device sim:load=wave --keep 24h
    powerspy serve --listen unix:/run/lab/power.sock --socket-group lab
    powerspy serve --listen 127.0.0.1:9797
    powerspy serve --listen :9797 --web.config.file web.yml
    powerspy serve --record /var/lib/powerspy
    powerspy serve --mqtt mqtts://meter@broker --mqtt-password-file password`,
		Flags: append([]*cli.Flag{
			{Name: listenFlag, Takes: cli.Text{}, Repeats: true, Default: "a socket of yours", Usage: "listen on `ADDRESS`, unix:PATH or HOST:PORT"},
			{Name: keepFlag, Takes: cli.Duration{Examples: "10m, 1h, 24h"}, Default: "1h", Usage: "remember what was measured for `TIME`, up to 7 days: 35 MB an hour and meter"},
			{Name: recordFlag, Takes: cli.File{}, Usage: "keep every window in the directory `DIR`, a file a day"},
			{Name: webConfigFlag, Category: network, Takes: cli.File{}, Usage: "TLS and logins, in the `FILE` that Prometheus' exporters have"},
			{Name: allowedHostFlag, Category: network, Takes: cli.Text{}, Repeats: true, Usage: "answer requests for `NAME`, too"},
			{Name: socketModeFlag, Category: network, Takes: fileMode{}, Default: "600; with a group 660", Usage: "permissions of the Unix sockets: `MODE`, octal"},
			{Name: socketGroupFlag, Category: network, Takes: cli.Text{}, Usage: "the `GROUP` of the Unix sockets"},
			pinFile(), pin(),
		}, slices.Concat(exportFlags(), streamFlags(), recoveryFlags(), a.manyDevices())...),
		Action: a.serve,
	}
}

// manyDevices are the global flags of a command that takes more than one meter.
func (a *app) manyDevices() []*cli.Flag {
	flags := a.globalFlags()
	i := slices.IndexFunc(flags, func(f *cli.Flag) bool { return f.Name == deviceFlag })
	many := *flags[i]
	many.Repeats = true
	flags[i] = &many
	return flags
}

func (a *app) serve(c *cli.Context) (err error) {
	s, err := a.session(c)
	if err != nil {
		return err
	}
	defer s.progress.End()
	sv := &serving{session: s, stream: parseStream(c, 0)}
	if sv.recovery, err = parseRecovery(c); err != nil {
		return err
	}
	cfg := serve.Config{
		Keep: c.Duration(keepFlag), Tool: toolVersion(), Claim: s.claimFile,
		Log: func(line string) { s.progress.Line("%s", line) },
	}
	if cfg.Record, err = recordDirectory(c); err != nil {
		return err
	}
	if cfg.Meters, err = sv.meters(deviceTexts(c)); err != nil {
		return err
	}
	if err := checkKeep(c, cfg.Keep); err != nil {
		return err
	}
	if text := memoryFor(cfg.Keep, len(cfg.Meters)); text != "" {
		s.progress.Line("%s", text)
	}
	x, err := sv.exporters(c, cfg.Meters)
	if err != nil {
		return err
	}
	cfg.Sinks, cfg.Handlers = x.sinks, x.handlers()
	path := c.String(webConfigFlag)
	if path != "" {
		if cfg.Web, err = serve.LoadWebConfig(path); err != nil {
			if _, missing := os.Stat(path); errors.Is(missing, fs.ErrNotExist) {
				return &noFileError{"web configuration", path}
			}
			return fmt.Errorf("web configuration: %w", err)
		}
	}
	listeners, err := sv.listen(c, &cfg)
	if err != nil {
		return err
	}
	defer sv.release()
	server, err := serve.New(cfg)
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	stop := sv.watch(c.Context, server, path, listeners)
	defer stop()
	return x.during(c.Context, func(ctx context.Context) error { return server.Run(ctx, listeners...) })
}

// checkKeep refuses to remember what no memory has room for.
func checkKeep(c *cli.Context, keep time.Duration) error {
	if keep <= api.LongestMemory {
		return nil
	}
	return c.Usagef("--%s %v is more than the %d days that a server remembers at most; --%s keeps all, in files", keepFlag, keep, api.LongestMemory/(24*time.Hour), recordFlag)
}

const (
	// memoryPerHour is what an hour of a meter takes, in bytes.
	memoryPerHour = 35e6

	// muchMemory is what is told, in bytes.
	muchMemory = 500e6
)

// memoryFor tells what it takes to remember so much; "": not much.
func memoryFor(keep time.Duration, meters int) string {
	bytes := keep.Hours() * memoryPerHour * float64(meters)
	if bytes < muchMemory {
		return ""
	}
	return fmt.Sprintf("remembering %v of %s takes up to %.1f GB of memory", keep, count(uint64(meters), "meter"), bytes/1e9)
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

// recordDirectory returns the directory of --record, which has to be there.
func recordDirectory(c *cli.Context) (string, error) {
	dir := c.String(recordFlag)
	if dir == "" {
		return "", nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		err = fmt.Errorf("recordings in %s: %w", dir, cause(err))
		if errors.Is(err, fs.ErrNotExist) {
			return "", advise(err, "make it first: `mkdir -p "+shell.Quote(dir)+"`")
		}
		return "", err
	}
	if !info.IsDir() {
		return "", c.Usagef("--%s takes a directory, and %s is none", recordFlag, dir)
	}
	return dir, nil
}

// serving is what `serve` works with.
type serving struct {
	*session
	stream   meter.StreamConfig
	recovery meter.Recovery
	socket   string         // the first Unix socket that is listened on; empty: none
	releases []func() error // of what was claimed
}

// release gives back what was claimed.
func (s *serving) release() {
	for _, release := range s.releases {
		if err := release(); err != nil {
			s.progress.Line("%s", sentence(err))
		}
	}
}
