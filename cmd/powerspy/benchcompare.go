package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"powerspy2/internal/bench"
	"powerspy2/internal/cli"
)

// benchCompare compares two results of different days.
func (a *app) benchCompare(c *cli.Context) error {
	if len(c.Args()) > 0 {
		return c.Usagef("--%s takes two files, and no command", compareFlag)
	}
	for _, f := range c.Command.Flags {
		every := slices.ContainsFunc(a.globalFlags(), func(g *cli.Flag) bool { return g.Name == f.Name })
		if c.IsTyped(f.Name) && f.Name != compareFlag && !every {
			return c.Usagef("--%s runs nothing, and takes no --%s", compareFlag, f.Name)
		}
	}
	files := cli.Values(c, compareFlag)
	var results [2]bench.Result
	for i, name := range files {
		r, err := readBench(name.(string))
		if err != nil {
			return err
		}
		results[i] = r
	}
	days := bench.CompareDays(&results[0], &results[1])
	_, err := io.WriteString(a.env.stdout, days.Text(files[0].(string), files[1].(string)))
	return err
}

// readBench reads the result of a bench.
func readBench(name string) (bench.Result, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return bench.Result{}, &noFileError{"file", name}
	}
	if err != nil {
		return bench.Result{}, err
	}
	defer f.Close() // it was only read
	r, err := bench.Read(f)
	if err != nil {
		return r, advise(fmt.Errorf("%s: %w", name, err), "give a file of `powerspy bench --export-json FILE`")
	}
	return r, nil
}
