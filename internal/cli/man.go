package cli

import (
	"fmt"
	"slices"
	"strings"
)

// ManCommand returns the command that writes the man page, by write, whose flags
// are given.
func (p *Program) ManCommand(write func(c *Context, text string) error, flags ...*Flag) *Command {
	return &Command{
		Name:  "man",
		Usage: "print the man page (roff)",
		Flags: flags,
		Description: `It has the same texts as the help of the commands. Examples:

    powerspy man | man -l -
    mkdir -p ~/.local/share/man/man1
    powerspy man -o ~/.local/share/man/man1/powerspy.1`,
		Action: func(c *Context) error { return write(c, p.manPage()) },
	}
}

// manPage writes the man page.
func (p *Program) manPage() string {
	m := &manWriter{}
	m.line(fmt.Sprintf(`.TH %s 1 "" "%s" "User Commands"`, strings.ToUpper(p.Name), p.Name))
	m.section("NAME")
	m.text(p.Name + " - " + p.Usage)
	m.section("SYNOPSIS")
	m.text(p.synopsis(nil))
	m.section("DESCRIPTION")
	m.description(p.Description)
	m.section("GLOBAL OPTIONS")
	m.flags(append(slices.Clip(p.Flags), helpFlag, versionFlag))
	m.section("COMMANDS")
	m.commands(p.Name, p.Commands)
	for _, t := range slices.Concat(p.Topics, p.Sections) {
		m.section(strings.ToUpper(t.Name))
		m.description(t.Text())
	}
	return m.b.String()
}

// A manWriter writes the language of man, roff with the macros of man(7).
type manWriter struct{ b strings.Builder }

// line writes a line of roff.
func (m *manWriter) line(roff string) { m.b.WriteString(roff + "\n") }

// text writes a line of text.
func (m *manWriter) text(s string) { m.line(escapeRoff(s)) }

func (m *manWriter) section(name string) { m.line(".SH " + quoteRoff(name)) }

// commands writes the commands and those below them; under is how the command
// above them is typed.
func (m *manWriter) commands(under string, list []*Command) {
	for _, c := range list {
		words := under + " " + c.Name
		title := words
		if a := c.argList(); a != "" {
			title += " " + a
		}
		m.line(".SS " + quoteRoff(title))
		m.text(c.Usage + ".")
		m.description(c.Description)
		m.flags(append(slices.Clip(c.Flags), helpFlag))
		m.commands(words, c.Commands)
	}
}

// description writes a text for the terminal: indented lines stay as they are,
// the others are filled.
func (m *manWriter) description(s string) {
	if s == "" {
		return
	}
	m.line(".PP")
	asTyped := false
	for l := range strings.Lines(s) {
		l = strings.TrimRight(l, "\n")
		if indented := strings.HasPrefix(l, " "); l != "" && indented != asTyped {
			asTyped = indented
			m.line(map[bool]string{true: ".nf", false: ".fi"}[asTyped])
		}
		if l == "" {
			m.line(".PP") // ends no .nf
			continue
		}
		m.text(l)
	}
	if asTyped {
		m.line(".fi")
	}
}

// flags writes flags as --help does: those of no category, then each category
// under its name.
func (m *manWriter) flags(flags []*Flag) {
	for _, category := range categories(flags, (*Flag).category) {
		if category != "" {
			m.line(".PP")
			m.line(`\fI` + escapeRoff(category) + `\fR`)
		}
		for _, f := range inCategory(flags, category) {
			m.flag(f)
		}
	}
}

func (m *manWriter) flag(f *Flag) {
	var names []string
	for _, n := range f.names() {
		names = append(names, `\fB`+escapeRoff(Dashed(n))+`\fR`)
	}
	title := strings.Join(names, ", ")
	if v := f.value(); v != "" && f.Optional {
		title += `[=\fI` + escapeRoff(v) + `\fR]`
	} else if v != "" {
		title += ` \fI` + escapeRoff(v) + `\fR`
	}
	m.line(".TP")
	m.line(title)
	m.text(f.explained())
}

// quoteRoff writes a macro's argument.
func quoteRoff(s string) string {
	return `"` + strings.ReplaceAll(escapeRoff(s), `"`, `\(dq`) + `"`
}

// escapeRoff keeps roff from seeing anything in a text: an escape, a request,
// or typography where a reader is to copy ASCII.
func escapeRoff(s string) string {
	s = roffEscapes.Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

var roffEscapes = strings.NewReplacer(
	`\`, `\(rs`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`)
