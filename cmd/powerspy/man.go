package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

func (a *app) manCommand() *cli.Command {
	return &cli.Command{
		Name:  "man",
		Usage: "print the man page, in the language of man",
		Description: `It is made of what the commands' own help texts are made of. Examples:

    powerspy man | man -l -
    powerspy man > ~/.local/share/man/man1/powerspy.1`,
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			_, err := io.WriteString(a.env.stdout, manPage(c.App))
			return err
		},
	}
}

// manPage writes powerspy(1). The library's own writer leaves out the
// descriptions, the categories of flags and their placeholders.
func manPage(root *cli.App) string {
	m := &manWriter{}
	m.line(`.TH POWERSPY 1 "" "powerspy" "User Commands"`)
	m.section("NAME")
	m.text(root.Name + " - " + root.Usage)
	m.section("SYNOPSIS")
	m.text(root.UsageText)
	m.section("DESCRIPTION")
	m.description(root.Description)
	m.section("GLOBAL OPTIONS")
	m.flags(root.VisibleFlagCategories())
	m.section("COMMANDS")
	m.commands(root.Name, root.VisibleCommands())
	for _, t := range topics {
		m.section(strings.ToUpper(t.name))
		m.description(t.text())
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

// commands writes the commands and those below them, under is how the command
// above them is typed.
func (m *manWriter) commands(under string, list []*cli.Command) {
	for _, c := range list {
		words := under + " " + c.Name
		title := words
		if c.ArgsUsage != "" {
			title += " " + c.ArgsUsage
		}
		m.line(".SS " + quoteRoff(title))
		m.text(c.Usage + ".")
		m.description(c.Description)
		m.flags(c.VisibleFlagCategories())
		m.commands(words, visible(c.Subcommands))
	}
}

// visible leaves out the hidden commands.
func visible(list []*cli.Command) []*cli.Command {
	var shown []*cli.Command
	for _, c := range list {
		if !c.Hidden {
			shown = append(shown, c)
		}
	}
	return shown
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
func (m *manWriter) flags(categories []cli.VisibleFlagCategory) {
	for _, category := range categories {
		if category.Name() != "" {
			m.line(".PP")
			m.line(`\fI` + escapeRoff(category.Name()) + `\fR`)
		}
		for _, f := range category.Flags() {
			if d, ok := f.(cli.DocGenerationFlag); ok {
				m.flag(d)
			}
		}
	}
}

func (m *manWriter) flag(d cli.DocGenerationFlag) {
	names := make([]string, len(d.Names()))
	for i, n := range d.Names() {
		names[i] = `\fB` + escapeRoff(dashed(n)) + `\fR`
	}
	title := strings.Join(names, ", ")
	usage := usageOf(d)
	if d.TakesValue() {
		if v := placeholder(d.GetUsage()); v != "" {
			title += ` \fI` + escapeRoff(v) + `\fR`
		}
	}
	b, isBool := d.(*cli.BoolFlag)
	if def := d.GetDefaultText(); def != "" && !(isBool && b.DisableDefaultText) {
		usage += fmt.Sprintf(" (default: %s)", def)
	}
	for _, v := range d.GetEnvVars() {
		usage += fmt.Sprintf(" [$%s]", v)
	}
	m.line(".TP")
	m.line(title)
	m.text(usage)
}

// placeholder is what a flag's usage has between backquotes.
func placeholder(usage string) string {
	_, rest, _ := strings.Cut(usage, "`")
	name, _, ok := strings.Cut(rest, "`")
	if !ok {
		return ""
	}
	return name
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
