package main

import (
	"io"
	"time"

	"powerspy2/internal/bench"
	"powerspy2/internal/cli"
	"powerspy2/internal/report"
)

// The files of bench's results, with hyperfine's names.

// An exportKind is a form of results.
type exportKind struct {
	name, what string
	write      func(t *bench.Table, w io.Writer) error
}

var exportKinds = []exportKind{
	{"json", "JSON with all runs", func(t *bench.Table, w io.Writer) error { return t.Result.Write(w) }},
	{"csv", "CSV", (*bench.Table).CSV},
	{"markdown", "a table in Markdown", (*bench.Table).Markdown},
	{"asciidoc", "a table in AsciiDoc", (*bench.Table).AsciiDoc},
	{"orgmode", "a table for Emacs' org-mode", (*bench.Table).Org},
	{"html", "the page of powerspy report", writeBenchPage},
}

func writeBenchPage(t *bench.Table, w io.Writer) error {
	page := report.Report{Made: time.Now(), Zone: time.Local, Tool: t.Result.Tool, Benches: []report.Bench{{Result: t.Result}}}
	return page.HTML(w)
}

func (k *exportKind) flag() string { return "export-" + k.name }

// benchExports are the flags of exports.
func benchExports(category string) []*cli.Flag {
	var list []*cli.Flag
	for _, k := range exportKinds {
		list = append(list, &cli.Flag{Name: k.flag(), Category: category, Takes: cli.File{}, Usage: "write the results as " + k.what + " to `FILE`; - is standard output"})
	}
	return list
}

// An export is a file of results.
type export struct {
	exportKind
	file newFile
}

// parseExports reads the flags, and says what could not be written.
func parseExports(c *cli.Context) ([]export, error) {
	var list []export
	by := map[string]string{}
	for _, k := range exportKinds {
		name := c.String(k.flag())
		if name == "" {
			continue
		}
		if other := by[name]; other != "" && name != standardOutput {
			return nil, c.Usagef("--%s and --%s have the same file", other, k.flag())
		}
		by[name] = k.flag()
		f := newFile{name: name, force: true}
		if err := f.check(); err != nil {
			return nil, err
		}
		list = append(list, export{k, f})
	}
	return list, nil
}

// export writes the files of a result. The error is the first one; the others are
// written all the same.
func (a *app) export(p *benchPlan, r *bench.Result) error {
	var first error
	t := &bench.Table{Result: r, Sort: p.sort, Unit: p.unit}
	for _, e := range p.exports {
		if err := e.file.write(a.env, func(w io.Writer) error { return e.write(t, w) }); err != nil && first == nil {
			first = err
		}
	}
	return first
}
