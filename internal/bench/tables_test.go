package bench_test

import (
	"bytes"
	"encoding/csv"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"powerspy2/internal/bench"
)

// known is a result with two commands, of which one has parameters.
func known() *bench.Result {
	r := &bench.Result{Reference: -1, Series: []bench.Series{*series("sort a|b", 300, 306, 294, 300), *series("sort -n", 150, 153, 147, 150), {}}}
	for i := range r.Series[1].Runs {
		x := &r.Series[1].Runs[i]
		x.Duration, x.Power = 1500*time.Millisecond, x.Energy/1.5
	}
	r.Series[1].Parameters = map[string]string{"n": "=2"}
	return r
}

// TestTableDigits: a mean and its standard deviation have the same decimals, also where
// that is next to nothing.
func TestTableDigits(t *testing.T) {
	r := &bench.Result{Reference: -1, Series: []bench.Series{*series("a", 300, 300.00002, 300.00001)}}
	var b strings.Builder
	if err := (&bench.Table{Result: r}).Markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\d\.(\d+) ± \d+\.(\d+)`).FindAllStringSubmatch(b.String(), -1) {
		if len(m[1]) != len(m[2]) {
			t.Errorf("%q", m[0])
		}
	}
	if !strings.Contains(b.String(), "300.0000 ± 0.0000") {
		t.Errorf("the energy is not there: %s", b.String())
	}
}

func TestTables(t *testing.T) {
	for _, tt := range []struct {
		name   string
		edit   func(*bench.Table)
		export func(*bench.Table, io.Writer) error
		want   string
	}{
		{"markdown", func(*bench.Table) {}, (*bench.Table).Markdown, "" +
			"| Command | Mean [s] | Min [s] | Max [s] | Relative | Energy [J] | Min [J] | Max [J] | Power [W] | Relative energy |\n" +
			"|:---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n" +
			"| `sort a\\|b` | 3.000 ± 0.000 | 3.000 | 3.000 | 2.00 ± 0.00 | 300.0 ± 4.9 | 294.0 | 306.0 | 100.0 ± 1.6 | 2.000 (2.000 to 2.000) |\n" +
			"| `sort -n` | 1.500 ± 0.000 | 1.500 | 1.500 | 1.00 | 150.0 ± 2.4 | 147.0 | 153.0 | 100.0 ± 1.6 | 1.000 |\n"},
		{"asciidoc", func(t *bench.Table) { t.Sort, t.Unit = bench.SortTime, time.Millisecond }, (*bench.Table).AsciiDoc, "" +
			"[cols=\"<,>,>,>,>,>,>,>,>,>\",options=\"header\"]\n|===\n" +
			"| Command\n| Mean [ms]\n| Min [ms]\n| Max [ms]\n| Relative\n| Energy [J]\n| Min [J]\n| Max [J]\n| Power [W]\n| Relative energy\n\n" +
			"| `sort -n`\n| 1500.0 ± 0.0\n| 1500.0\n| 1500.0\n| 1.00\n| 150.0 ± 2.4\n| 147.0\n| 153.0\n| 100.0 ± 1.6\n| 1.000\n\n" +
			"| `sort a&#124;b`\n| 3000.0 ± 0.0\n| 3000.0\n| 3000.0\n| 2.00 ± 0.00\n| 300.0 ± 4.9\n| 294.0\n| 306.0\n| 100.0 ± 1.6\n| 2.000 (2.000 to 2.000)\n\n|===\n"},
		{"org", func(t *bench.Table) { t.Sort = bench.SortEnergy }, (*bench.Table).Org, "" +
			"| Command  |  Mean [s] |  Min [s] |  Max [s] |  Relative |  Energy [J] |  Min [J] |  Max [J] |  Power [W] |  Relative energy |\n" +
			"|--+--+--+--+--+--+--+--+--+--|\n" +
			"| =sort -n=  |  1.500 ± 0.000 |  1.500 |  1.500 |  1.00 |  150.0 ± 2.4 |  147.0 |  153.0 |  100.0 ± 1.6 |  1.000 |\n" +
			"| =sort a\\x7cb=  |  3.000 ± 0.000 |  3.000 |  3.000 |  2.00 ± 0.00 |  300.0 ± 4.9 |  294.0 |  306.0 |  100.0 ± 1.6 |  2.000 (2.000 to 2.000) |\n"},
	} {
		table := &bench.Table{Result: known()}
		tt.edit(table)
		var b strings.Builder
		if err := tt.export(table, &b); err != nil || b.String() != tt.want {
			t.Errorf("%s, %v:\n%s\nwant\n%s", tt.name, err, b.String(), tt.want)
		}
	}
}

func TestCSV(t *testing.T) {
	r := known()
	r.Baseline = &bench.Baseline{Power: 20}
	var b strings.Builder
	if err := (&bench.Table{Result: r}).CSV(&b); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%q, %v", rows, err)
	}
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	if !strings.HasPrefix(b.String(), "command,mean,stddev,median,user,system,min,max,parameter_n,runs,energy_J_mean,") {
		t.Errorf("the first columns are not hyperfine's: %q", rows[0])
	}
	for name, want := range map[string][2]string{
		"command": {"sort a|b", "sort -n"}, "mean": {"3", "1.5"}, "parameter_n": {"", "'=2"}, "runs": {"4", "4"},
		"energy_J_mean": {"300", "150"}, "energy_J_max": {"306", "153"}, "net_energy_J_mean": {"", ""}, "verdict": {"more", ""}, "energy_ratio": {"2", ""},
	} {
		i, ok := at[name]
		if got := [2]string{rows[1][i], rows[2][i]}; !ok || got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestNastyNames: whatever a command is called, a table has its rows and columns, and
// nothing invisible.
func TestNastyNames(t *testing.T) {
	r := &bench.Result{Reference: -1}
	for i, name := range nasty {
		s := series(name, 10+float64(i), 11, 12)
		s.Parameters = map[string]string{name: name}
		r.Series = append(r.Series, *s)
	}
	table := &bench.Table{Result: r}
	export := func(to func(io.Writer) error) string {
		var b bytes.Buffer
		if err := to(&b); err != nil {
			t.Fatal(err)
		}
		for _, c := range b.String() {
			if c != '\n' && !unicode.IsGraphic(c) {
				t.Fatalf("%q is in\n%s", c, b.String())
			}
		}
		return b.String()
	}

	rows, err := csv.NewReader(strings.NewReader(export(table.CSV))).ReadAll()
	if err != nil || len(rows) != 1+len(nasty) { // as many fields in each, or that is an error
		t.Errorf("CSV: %d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+@\t\r", rune(cell[0])) {
				t.Errorf("CSV: a spreadsheet takes %q for a formula", cell)
			}
		}
	}
	for name, to := range map[string]func(io.Writer) error{"Markdown": table.Markdown, "org": table.Org} {
		lines := strings.Split(strings.TrimSuffix(export(to), "\n"), "\n")
		if len(lines) != 2+len(nasty) {
			t.Errorf("%s: %d lines", name, len(lines))
		}
		for i, line := range lines {
			// Nothing but a pipe of a name is ever escaped, and no name has a backslash before one.
			bars := strings.Count(line, "|")
			if name == "Markdown" {
				if strings.Contains(line, `\\`) {
					t.Errorf("Markdown: a backslash beside a pipe: %s", line)
				}
				bars -= strings.Count(line, `\|`)
			}
			if i != 1 && bars != 11 {
				t.Errorf("%s: %d columns: %s", name, bars-1, line)
			}
		}
	}
	text := export(table.AsciiDoc)
	if n := strings.Count(text, "|"); n != 2+10*(1+len(nasty)) {
		t.Errorf("AsciiDoc: %d bars", n)
	}
	for line := range strings.SplitSeq(text, "\n") {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name = reference.ReplaceAllString(strings.TrimSuffix(name, "`"), "")
			if strings.ContainsAny(name, "`|{}<>[]:_*#^~\"'+=\\&;") {
				t.Errorf("AsciiDoc: %s", line)
			}
		}
	}
}

var reference = regexp.MustCompile(`&#[0-9]+;`)

func TestSort(t *testing.T) {
	r := known()
	for _, tt := range []struct {
		sort   bench.Sort
		export bool
		first  int
	}{{bench.SortAuto, true, 0}, {bench.SortAuto, false, 1}, {bench.SortCommand, false, 0}, {bench.SortTime, true, 1}, {bench.SortEnergy, true, 1}} {
		if got := tt.sort.Apply(r.Series, tt.export); len(got) != 2 || got[0] != tt.first {
			t.Errorf("%v: %v", tt.sort, got)
		}
		if parsed, err := bench.ParseSort(tt.sort.String()); parsed != tt.sort || err != nil {
			t.Errorf("%v: %v, %v", tt.sort, parsed, err)
		}
	}
	if _, err := bench.ParseSort("median"); err == nil {
		t.Error("an unknown sort is taken")
	}
}

// TestTablesOfLittle: no runs, one run, a run without an energy.
func TestTablesOfLittle(t *testing.T) {
	lost := series("c", 1)
	lost.Runs[0].Coverage = 0
	for _, list := range [][]bench.Series{nil, {{}}, {*series("a", 5)}, {*series("a", 5), *series("b", 6)}, {*lost}, {*lost, *series("a", 5, 6)}} {
		table := &bench.Table{Result: &bench.Result{Series: list, Reference: -1}}
		for _, to := range []func(io.Writer) error{table.CSV, table.Markdown, table.AsciiDoc, table.Org} {
			var b strings.Builder
			if err := to(&b); err != nil || strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
				t.Errorf("%v: %v\n%s", list, err, b.String())
			}
		}
	}
}
