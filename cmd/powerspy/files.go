package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"powerspy2/meter"
	"powerspy2/powerspy"
)

func (a *app) filesCommand() *cli.Command {
	return a.group(cli.Command{
		Name:  "files",
		Usage: "list, fetch and remove the log files on the meter's SD card",
		Description: `Generation V1 has no SD card.

Examples:

    powerspy files list
    powerspy files get-all logs`,
	}, &cli.Command{
		Name:  "list",
		Usage: "list the files with their sizes in bytes",
		Description: `Example:

    powerspy files list`,
		Flags:  []cli.Flag{&cli.BoolFlag{Name: "raw", DisableDefaultText: true, Usage: "print the meter's answer as it came"}},
		Action: a.filesList,
	}, &cli.Command{
		Name:      "get",
		Usage:     "fetch a file",
		ArgsUsage: "NAME [FILE]",
		Description: `The file appears under its name when it is whole.

Example:

    powerspy files get 120906.DAT log.dat`,
		Action: a.filesGet,
	}, &cli.Command{
		Name:      "get-all",
		Usage:     "fetch the files that a directory does not have whole yet",
		ArgsUsage: "DIRECTORY",
		Description: `Files that are there with their right size are skipped, so that what was
interrupted goes on where it was.

Example:

    powerspy files get-all logs`,
		Action: a.filesGetAll,
	}, &cli.Command{
		Name:      "remove",
		Usage:     "delete a file from the SD card",
		ArgsUsage: "NAME",
		Description: `Example:

    powerspy files remove --yes 120906.DAT`,
		Flags:  []cli.Flag{&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, DisableDefaultText: true, Usage: "do not ask"}},
		Action: a.filesRemove,
	})
}

func (a *app) filesList(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		list, err := m.Files(ctx)
		if err != nil {
			return err
		}
		if c.Bool("raw") {
			_, err := fmt.Fprintf(a.env.stdout, "%s\n", list.Raw)
			return err
		}
		for _, odd := range list.Odd {
			s.progress.Line("the list has an entry that is not understood: %q; see --raw", odd)
		}
		var b strings.Builder
		for _, f := range list.Files {
			fmt.Fprintf(&b, "%-10s %10d\n", f.Name, f.Size)
		}
		_, err = fmt.Fprint(a.env.stdout, b.String())
		return err
	})
}

func (a *app) filesGet(c *cli.Context) error {
	if c.NArg() == 0 {
		return usagef(c, "files get needs the name of a file")
	}
	if c.NArg() > 2 {
		return surplus(c, 2)
	}
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		f, err := m.File(ctx, c.Args().First())
		if err != nil {
			return err
		}
		dst := c.Args().Get(1)
		if dst == "" {
			// Not whatever the card says: a name with a slash would lie elsewhere.
			dst = filepath.Base(f.Name)
		}
		return s.fetch(ctx, m, f, dst)
	})
}

func (a *app) filesGetAll(c *cli.Context) error {
	if c.NArg() == 0 {
		return usagef(c, "files get-all needs a directory")
	}
	if c.NArg() > 1 {
		return surplus(c, 1)
	}
	dir := c.Args().First()
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		list, err := m.Files(ctx)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
		for _, f := range list.Files {
			if meter.HasFile(dir, f) {
				s.progress.Line("%s is there already", f.Name)
				continue
			}
			if err := s.fetch(ctx, m, f, filepath.Join(dir, filepath.Base(f.Name))); err != nil {
				return err
			}
		}
		return nil
	})
}

// fetch fetches a file and tells how far it is: every percent on a terminal.
func (s *session) fetch(ctx context.Context, m *meter.Meter, f powerspy.File, dst string) error {
	shown := int64(-1)
	err := m.FetchFile(ctx, f, dst, func(n int64) {
		if percent := n * 100 / max(f.Size, 1); s.progress.terminal && percent != shown {
			shown = percent
			s.progress.Transient("%s: %d %% of %d bytes", f.Name, percent, f.Size)
		}
	})
	if err != nil {
		return err
	}
	s.progress.Line("%s: %d bytes written to %s", f.Name, f.Size, dst)
	return nil
}

func (a *app) filesRemove(c *cli.Context) error {
	switch {
	case c.NArg() == 0:
		return usagef(c, "files remove needs the name of a file")
	case c.NArg() > 1:
		return surplus(c, 1)
	case !c.Bool("yes") && a.env.terminal == nil:
		return usagef(c, "there is nobody to ask whether to remove %s; add --yes", c.Args().First())
	}
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		f, err := m.File(ctx, c.Args().First())
		if err != nil {
			return err
		}
		if !c.Bool("yes") {
			answer, err := s.ask(ctx, func(t *term.Terminal) (string, error) {
				t.SetPrompt(fmt.Sprintf("Remove %s (%d bytes) from the meter? [y/N] ", f.Name, f.Size))
				return t.ReadLine()
			})
			if err != nil {
				return err
			}
			if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
				return errors.New("nothing was removed")
			}
		}
		return m.RemoveFile(ctx, f)
	})
}
