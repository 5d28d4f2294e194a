package bench

import (
	"io"
	"time"
)

// A Sort is the order of the rows of an export.
type Sort int

const (
	SortAuto Sort = iota // of exports: as the commands were given; of a comparison: by energy
	SortCommand
	SortTime
	SortEnergy
)

// A Table is what exports of tables are made from.
type Table struct {
	Result *Result
	Sort   Sort
	Unit   time.Duration // of times: Millisecond, Second or another; 0: what suits the first command
}

// CSV writes hyperfine's columns and beside them the energies.
func (t *Table) CSV(w io.Writer) error { return nil }

// Markdown writes a table for Markdown.
func (t *Table) Markdown(w io.Writer) error { return nil }

// AsciiDoc writes a table for AsciiDoc.
func (t *Table) AsciiDoc(w io.Writer) error { return nil }

// Org writes a table for Emacs' org-mode.
func (t *Table) Org(w io.Writer) error { return nil }
