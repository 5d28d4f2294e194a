package bench

import (
	"io"
	"strconv"
	"strings"

	"powerspy2/internal/harmless"
)

// Markdown writes a table for Markdown.
func (t *Table) Markdown(w io.Writer) error {
	return t.write(w, &markup{
		row: func(cells []string) string { return "| " + strings.Join(cells, " | ") + " |\n" },
		divider: func(columns int) string {
			return "|:---|" + strings.Repeat("---:|", columns-1) + "\n"
		},
		name: markdownName,
	})
}

// markdownName writes a name as code. In it a pipe has to be escaped, a backtick
// can't be, and renderers differ on a backslash before either.
func markdownName(s string) string {
	s = harmless.Text(s)
	if s != "" && !strings.ContainsAny(s, "`\\") && strings.TrimSpace(s) == s {
		return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
	}
	return "<code>" + references(s) + "</code>"
}

// AsciiDoc writes a table for AsciiDoc.
func (t *Table) AsciiDoc(w io.Writer) error { //nolint:staticcheck // the format is spelled so
	head, _ := t.rows()
	columns := "<" + strings.Repeat(",>", max(len(head)-1, 0))
	return t.write(w, &markup{
		before:  "[cols=\"" + columns + "\",options=\"header\"]\n|===\n",
		after:   "|===\n",
		row:     func(cells []string) string { return "| " + strings.Join(cells, "\n| ") + "\n\n" },
		divider: func(int) string { return "" },
		name:    func(s string) string { return "`" + references(harmless.Text(s)) + "`" },
	})
}

// references writes whatever may mean something to a markup language as a numeric
// character reference.
func references(s string) string {
	var b strings.Builder
	last := ' '
	for i, r := range s {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '/' || r == ',' || r > '\u02ff'
		switch {
		case plain,
			(r == '.' || r == '-') && last != r,   // two of them are an ellipsis or a dash
			r == ' ' && last != r && i+1 < len(s): // several are one, the last ends code
			b.WriteRune(r)
		default:
			b.WriteString("&#" + strconv.Itoa(int(r)) + ";")
		}
		last = r
	}
	return b.String()
}

// Org writes a table for Emacs' org-mode.
func (t *Table) Org(w io.Writer) error {
	return t.write(w, &markup{
		row: func(cells []string) string {
			return "| " + cells[0] + "  |  " + strings.Join(cells[1:], " |  ") + " |\n"
		},
		divider: func(columns int) string { return "|" + strings.Repeat("--+", columns-1) + "--|\n" },
		name:    orgName,
	})
}

// orgName writes a name as verbatim text, in which there are no escapes: what would
// end it or the cell is written as Go's.
func orgName(s string) string {
	s = strings.ReplaceAll(harmless.Text(s), "|", `\x7c`)
	mark := "="
	if strings.Contains(s, mark) {
		mark = "~"
		s = strings.ReplaceAll(s, mark, `\x7e`)
	}
	return mark + s + mark
}
