package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"powerspy2/internal/cli"
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
		Flags:  []*cli.Flag{{Name: "raw", Usage: "print the meter's raw answer"}},
		Action: a.filesList,
	}, &cli.Command{
		Name:  "get",
		Usage: "fetch a file",
		Args:  []cli.Arg{{Name: "NAME", What: "the name of a file"}, {Name: "FILE", What: "a file or directory to write", Optional: true, Takes: cli.File{}}},
		Description: `The file appears when it is whole, under NAME unless told otherwise; FILE may be
a directory, and - is standard output. A file that exists is not replaced unless
--force is given.

Examples:

    powerspy files get 120906.DAT
    powerspy files get 120906.DAT -o log.dat
    powerspy files get 120906.DAT -o - | head`,
		Flags:  []*cli.Flag{outputTo("write to `FILE`, as the argument does; - is standard output"), force()},
		Action: a.filesGet,
	}, &cli.Command{
		Name:  "get-all",
		Usage: "fetch all files that a directory does not have yet",
		Args:  []cli.Arg{{Name: "DIRECTORY", What: "a directory", Takes: cli.File{}}},
		Description: `Files that are there already are skipped, so that what was interrupted goes on
where it was: those of the right size that begin as the meter's do. A log that
has grown is fetched again. What is there of another log keeps its content, and
becomes NAME.1 or the next free number. A file that the meter refuses, or whose
place something other than a file has, does not keep the others from being
fetched. What the card has under other names than those of logs (six characters
and .DAT) is reported and left alone.

Example:

    powerspy files get-all logs`,
		Action: a.filesGetAll,
	}, &cli.Command{
		Name:  "remove",
		Usage: "delete a file from the SD card",
		Args:  []cli.Arg{{Name: "NAME", What: "the name of a file"}},
		Description: `Example:

    powerspy files remove --yes 120906.DAT`,
		Flags:  []*cli.Flag{{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"}},
		Action: a.filesRemove,
	})
}

func (a *app) filesList(c *cli.Context) error {
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		list, err := s.listFiles(ctx, m)
		if err != nil {
			return err
		}
		if c.Bool("raw") {
			// A terminal would obey what a card can hold.
			format := "%s\n"
			if a.env.stdoutTerminal {
				format = "%q\n"
			}
			_, err := fmt.Fprintf(a.env.stdout, format, list.Raw)
			return err
		}
		s.tellOdd(list)
		var b strings.Builder
		for _, f := range list.Files {
			fmt.Fprintf(&b, "%-10s %10d\n", f.Name, f.Size)
		}
		_, err = fmt.Fprint(a.env.stdout, b.String())
		return err
	})
}

func (a *app) filesGet(c *cli.Context) error {
	name := c.Arg(0)
	dst, err := writtenFile(c, 1)
	if err != nil {
		return err
	}
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		f, err := s.findFile(ctx, m, name)
		if err != nil {
			return err
		}
		to := newFile{cmp.Or(dst, f.Name), c.Bool(forceFlag)}
		if info, err := os.Stat(to.name); err == nil && info.IsDir() && dst != "" {
			to.name = filepath.Join(dst, f.Name)
		}
		if err := to.check(); err != nil {
			return fmt.Errorf("fetch %s: %w", f.Name, err)
		}
		return s.fetch(ctx, m, f, f.Name, to)
	})
}

// tellOdd says what the list of files has beside them, made harmless.
func (s *session) tellOdd(list *powerspy.FileList) {
	for _, odd := range list.Odd {
		s.progress.Line("skipped an entry of the list that is not a log: %q", odd)
	}
}

func (s *session) listFiles(ctx context.Context, m *meter.Meter) (*powerspy.FileList, error) {
	s.progress.Working("reading the list of files")
	defer s.progress.End()
	return m.Files(ctx)
}

func (s *session) findFile(ctx context.Context, m *meter.Meter, name string) (powerspy.File, error) {
	s.progress.Working("reading the list of files")
	defer s.progress.End()
	return m.File(ctx, name)
}

func (a *app) filesGetAll(c *cli.Context) error {
	dir := c.Arg(0)
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		list, err := s.listFiles(ctx, m)
		if err != nil {
			return err
		}
		s.tellOdd(list)
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return fmt.Errorf("make the directory %s: %w", dir, cause(err))
		}
		var skipped []error
		for i, f := range list.Files {
			title := fmt.Sprintf("file %d of %d, %s", i+1, len(list.Files), f.Name)
			err := s.fetchNew(ctx, m, f, title, filepath.Join(dir, f.Name))
			if errors.Is(err, powerspy.ErrRefused) || errors.Is(err, powerspy.ErrOutOfRange) || errors.Is(err, meter.ErrNotACopy) {
				s.progress.Line("%s", sentence(err))
				skipped = append(skipped, err)
			} else if err != nil {
				return err
			}
		}
		if len(skipped) > 0 {
			return fmt.Errorf("%d of %d files were not fetched: %w", len(skipped), len(list.Files), skipped[0])
		}
		return nil
	})
}

// fetchNew fetches a file unless dst is a copy of it.
func (s *session) fetchNew(ctx context.Context, m *meter.Meter, f powerspy.File, title, dst string) error {
	s.progress.Working(title)
	found, err := m.CompareFile(ctx, f, dst)
	s.progress.End()
	if err != nil {
		return err
	}
	switch found {
	case meter.WholeCopy:
		s.progress.Line("%s: already there", title)
		return nil
	case meter.OtherCopy:
		kept, err := setAside(dst)
		if err != nil {
			return err
		}
		s.progress.Line("%s was of another log, and is now %s", dst, kept)
	}
	// What is replaced now is the beginning of the same log.
	return s.fetch(ctx, m, f, title, newFile{dst, true})
}

// setAside gives a file the first free name of NAME.1, NAME.2...
func setAside(name string) (kept string, err error) {
	for n := 1; ; n++ {
		kept = fmt.Sprintf("%s.%d", name, n)
		if _, err := os.Lstat(kept); err != nil {
			return kept, os.Rename(name, kept)
		}
	}
}

// fetch fetches a file and says how far it is, under the title.
func (s *session) fetch(ctx context.Context, m *meter.Meter, f powerspy.File, title string, to newFile) error {
	progress := s.progress.Transfer(title, f.Size)
	err := to.write(s.env, func(w io.Writer) error { return m.FetchFile(ctx, f, w, progress) })
	s.progress.End()
	var local *fs.PathError
	switch {
	case errors.As(err, &local) && local.Path == to.name:
		return fmt.Errorf("fetch %s to %s: %w", f.Name, to.name, local.Err)
	case err != nil:
		return err
	case to.name == standardOutput:
		return nil
	}
	s.progress.Line("%s: %d bytes written to %s", title, f.Size, to.name)
	return nil
}

func (a *app) filesRemove(c *cli.Context) error {
	name := c.Arg(0)
	if !c.Bool("yes") && a.env.terminal == nil {
		return c.Usagef("cannot ask whether to remove %s without a terminal; add --yes", name)
	}
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		f, err := s.findFile(ctx, m, name)
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
		s.progress.Working("removing " + f.Name)
		return m.RemoveFile(ctx, f)
	})
}
