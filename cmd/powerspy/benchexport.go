package main

import (
	"bytes"
	"io"
	"slices"
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

const jsonExport = "json"

var exportKinds = []exportKind{
	{jsonExport, "JSON with all runs", func(t *bench.Table, w io.Writer) error { return t.Result.Write(w) }},
	{"csv", "CSV", (*bench.Table).CSV},
	{"markdown", "a table in Markdown", (*bench.Table).Markdown},
	{"asciidoc", "a table in AsciiDoc", (*bench.Table).AsciiDoc},
	{"orgmode", "a table for Emacs' org-mode", (*bench.Table).Org},
	{"html", "the page of powerspy report", writeBenchPage},
}

func writeBenchPage(t *bench.Table, w io.Writer) error {
	page := report.Report{Made: time.Now(), Zone: time.Local, Tool: toolVersion(), Benches: []report.Bench{{Result: t.Result}}}
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
	for _, k := range exportKinds {
		name := c.String(k.flag())
		if name == "" {
			continue
		}
		f := newFile{name: name, force: true}
		if err := f.check(); err != nil {
			return nil, err
		}
		list = append(list, export{k, f})
	}
	return list, nil
}

// checkFiles refuses one file for two purposes. Commands may write to the same file.
func (p *benchPlan) checkFiles(c *cli.Context) error {
	uses := []fileUse{{inputFlag, p.Input}, {recordFlag, c.String(recordFlag)}}
	for _, where := range p.Output {
		if !slices.Contains(outputPolicy{}.Words(), where) {
			uses = append(uses, fileUse{outputFlag, where})
		}
	}
	for _, e := range p.exports {
		uses = append(uses, fileUse{e.flag(), e.file.name})
	}
	return differentFiles(c, uses)
}

// A benchKeeper writes what there is of a bench to its file of JSON while it goes on,
// which is more than nothing where it is killed. The other files can be made of that.
// A disk that hangs holds up no run: meanwhile nothing else is written.
type benchKeeper struct {
	put     func([]byte) error
	warn    func(error) // once
	writing chan error  // of what is being written; nil: nothing is
	failed  bool        // has been told
}

// newBenchKeeper returns nil where no file of JSON is wanted.
func newBenchKeeper(a *app, p *benchPlan, warn func(error)) *benchKeeper {
	i := slices.IndexFunc(p.exports, func(e export) bool { return e.name == jsonExport })
	if i < 0 || p.exports[i].file.name == standardOutput {
		return nil
	}
	put := func(text []byte) error {
		return p.exports[i].file.write(a.env, func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
	}
	return &benchKeeper{put: put, warn: warn}
}

// keep writes a result that is not whole yet.
func (k *benchKeeper) keep(r *bench.Result) {
	if k.writing != nil {
		select {
		case err := <-k.writing:
			k.wrote(err)
		default:
			return
		}
	}
	r.Interrupted = true
	var text bytes.Buffer
	if err := r.Write(&text); err != nil {
		k.wrote(err)
		return
	}
	writing := make(chan error, 1)
	k.writing = writing
	go func() { writing <- k.put(text.Bytes()) }()
}

// end waits for what is being written, so that nothing is written after it.
func (k *benchKeeper) end() {
	if k != nil && k.writing != nil {
		k.wrote(<-k.writing)
	}
}

func (k *benchKeeper) wrote(err error) {
	k.writing = nil
	if err != nil && !k.failed {
		k.failed = true
		k.warn(err)
	}
}

// export writes the files of a result. The error is the first one; the others are
// written all the same.
func (a *app) export(p *benchPlan, r *bench.Result) error {
	var first error
	t := p.table(r)
	for _, e := range p.exports {
		if err := e.file.write(a.env, func(w io.Writer) error { return e.write(&t, w) }); err != nil && first == nil {
			first = err
		}
	}
	return first
}
