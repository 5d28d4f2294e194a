package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// A document is the text of a configuration file, table by table, to be changed
// where something has changed: comments, the order of things, and keys that this
// version doesn't know stay as they are.
//
// It knows TOML as people write such files, a key a line. What it makes of a
// file is read again before it is believed.
type document struct{ tables []*table }

type table struct {
	before []string // comments that stand above the header
	header string   // "" for what is at the top
	name   string   // without brackets and quotes
	lines  []string
}

func parseDocument(text string) *document {
	at := &table{}
	d := &document{tables: []*table{at}}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(strings.TrimSpace(line), "[") {
			at.lines = append(at.lines, line)
			continue
		}
		above := len(at.lines)
		for above > 0 && strings.HasPrefix(strings.TrimSpace(at.lines[above-1]), "#") {
			above--
		}
		if len(d.tables) == 1 && above == 0 {
			above = len(at.lines) // a comment about the file
		}
		next := &table{before: slices.Clone(at.lines[above:]), header: line, name: tableName(line)}
		at.lines = at.lines[:above]
		at = next
		d.tables = append(d.tables, at)
	}
	return d
}

func (d *document) String() string {
	var b strings.Builder
	for _, t := range d.tables {
		for _, line := range t.before {
			b.WriteString(line + "\n")
		}
		if t.header != "" {
			b.WriteString(t.header + "\n")
		}
		for _, line := range t.lines {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// A group is a [[meter]] with the tables below it.
type group struct {
	d      *document
	tables []*table
}

// groups returns the meters in their order.
func (d *document) groups() []*group {
	var all []*group
	for _, t := range d.tables {
		switch {
		case t.name == "meter":
			all = append(all, &group{d, []*table{t}})
		case strings.HasPrefix(t.name, "meter.") && len(all) > 0:
			g := all[len(all)-1]
			g.tables = append(g.tables, t)
		}
	}
	return all
}

// add adds a [[meter]] at the end.
func (d *document) add() *group {
	d.space(len(d.tables) - 1)
	t := &table{header: "[[meter]]", name: "meter"}
	d.tables = append(d.tables, t)
	return &group{d, []*table{t}}
}

// space ends a table with a blank line, unless the file is empty.
func (d *document) space(i int) {
	t := d.tables[i]
	if n := len(t.lines); (n == 0 && t.header != "") || n > 0 && t.lines[n-1] != "" {
		t.lines = append(t.lines, "")
	}
}

// remove removes a meter with all that is below it, and the comments above it.
func (g *group) remove() {
	g.d.tables = slices.DeleteFunc(g.d.tables, func(t *table) bool { return slices.Contains(g.tables, t) })
}

// A setting is a key with its value, as TOML writes it.
type setting struct{ key, value string }

// settings returns what a struct of plain values has, as it is encoded.
func settings(v any) ([]setting, error) {
	text, err := toml.Marshal(v)
	if err != nil {
		return nil, err
	}
	var all []setting
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " = ")
		if !ok {
			return nil, fmt.Errorf("%q is not a setting", line)
		}
		all = append(all, setting{key, value})
	}
	return all, nil
}

// change sets what has changed from one to the other.
func (t *table) change(from, to []setting) {
	for _, s := range from {
		if !slices.ContainsFunc(to, func(u setting) bool { return u.key == s.key }) {
			t.remove(s.key)
		}
	}
	for _, s := range to {
		if !slices.Contains(from, s) {
			t.set(s)
		}
	}
}

func (t *table) find(key string) int {
	return slices.IndexFunc(t.lines, func(line string) bool {
		k, _, ok := strings.Cut(line, "=")
		return ok && strings.Trim(k, " \t\"'") == key
	})
}

// oneValue matches a line with a string, a number or the like, and perhaps a
// comment.
var oneValue = regexp.MustCompile(`^([^=]*=\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'#\[{]+)(\s*(?:#.*)?)$`)

func (t *table) set(s setting) {
	if i := t.find(s.key); i >= 0 {
		if m := oneValue.FindStringSubmatch(t.lines[i]); m != nil {
			t.lines[i] = m[1] + s.value + m[3]
		} else {
			t.lines[i] = s.key + " = " + s.value
		}
		return
	}
	// Before the blank lines and comments that end the table.
	end := len(t.lines)
	for end > 0 && (strings.TrimSpace(t.lines[end-1]) == "" || t.header == "" && strings.HasPrefix(t.lines[end-1], "#")) {
		end--
	}
	if t.header == "" && end == 0 {
		end = len(t.lines) // below what is said about the file
	}
	t.lines = slices.Insert(t.lines, end, s.key+" = "+s.value)
}

func (t *table) remove(key string) {
	if i := t.find(key); i >= 0 {
		t.lines = slices.Delete(t.lines, i, i+1)
	}
}
