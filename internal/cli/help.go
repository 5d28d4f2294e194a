package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Help fits a terminal of 80 columns.
const (
	helpWidth  = 79
	helpColumn = 30 // where the descriptions of flags begin
	margin     = "   "
)

// print writes a text.
func (p *Program) print(text string) error {
	_, err := io.WriteString(p.Stdout, text)
	return err
}

// help is what --help prints for a command; nil is the program.
func (p *Program) help(c *Command) string {
	b := &strings.Builder{}
	if c == nil {
		section(b, "NAME", "   "+p.Name+" - "+p.Usage)
		section(b, "USAGE", "   "+p.synopsis(nil))
		section(b, "DESCRIPTION", indented(p.Description))
		section(b, "COMMANDS", commandList(p.Commands))
		section(b, "GLOBAL OPTIONS", flagList(append(slices.Clone(p.Flags), helpFlag, versionFlag)))
		if len(p.Topics) > 0 {
			section(b, "TOPICS ("+p.Name+" help TOPIC)", p.topicList())
		}
		return b.String()
	}
	section(b, "NAME", indented(p.Name+" "+c.words+" - "+c.Usage))
	section(b, "USAGE", "   "+p.synopsis(c))
	section(b, "DESCRIPTION", indented(c.Description))
	if c.Commands != nil {
		section(b, "COMMANDS", commandList(c.Commands))
	}
	flags := append(slices.Clone(c.Flags), helpFlag)
	for _, category := range categories(flags, (*Flag).category) {
		title := "OPTIONS"
		if category != "" {
			title = strings.ToUpper(category)
		}
		section(b, title, flagList(inCategory(flags, category)))
	}
	return b.String()
}

// synopsis is how a command is typed.
func (p *Program) synopsis(c *Command) string {
	switch {
	case c == nil:
		return p.Name + " [global options] COMMAND [options]"
	case c.Commands != nil:
		return p.Name + " " + c.words + " COMMAND [options]"
	}
	s := p.Name + " " + c.words + " [options]"
	if c.ArgsEndFlags {
		s += " [--]"
	}
	if a := c.argList(); a != "" {
		s += " " + a
	}
	return s
}

// argList is how a command's arguments are typed: "NAME [FILE]".
func (c *Command) argList() string {
	var words []string
	for _, a := range c.Args {
		w := a.Name
		if a.Repeats {
			w += "..."
		}
		if a.Optional {
			w = "[" + w + "]"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func section(b *strings.Builder, title, text string) {
	if text == "" {
		return
	}
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "%s:\n%s\n", title, strings.TrimRight(text, "\n"))
}

// indented fills the paragraphs of a text. Indented lines stay as they are.
func indented(text string) string {
	b := &strings.Builder{}
	var paragraph []string
	end := func() {
		if len(paragraph) > 0 {
			entry(b, "", strings.Join(paragraph, " "), len(margin), helpWidth)
		}
		paragraph = nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line != "" && line[0] != ' ' {
			paragraph = append(paragraph, line)
			continue
		}
		end()
		if line != "" {
			line = margin + line
		}
		b.WriteString(line + "\n")
	}
	end()
	return b.String()
}

// commandList lists commands: those of no category, then each category under its
// name.
func commandList(commands []*Command) string {
	column := 0
	for _, c := range commands {
		column = max(column, len(margin)+len(c.Name)+2)
	}
	b := &strings.Builder{}
	for _, category := range categories(commands, (*Command).category) {
		if category != "" {
			b.WriteString("\n" + margin + category + ":\n")
		}
		for _, c := range commands {
			if c.Category == category {
				entry(b, margin+c.Name, c.Usage, column, helpWidth)
			}
		}
	}
	return b.String()
}

func (c *Command) category() string { return c.Category }
func (f *Flag) category() string    { return f.Category }

func (p *Program) topicList() string {
	column := 0
	for _, t := range p.Topics {
		column = max(column, len(margin)+len(t.Name)+2)
	}
	b := &strings.Builder{}
	for _, t := range p.Topics {
		entry(b, margin+t.Name, t.Usage, column, helpWidth)
	}
	return b.String()
}

// categories lists those of commands or flags in their order, the one without a
// name first.
func categories[T any](list []T, of func(T) string) []string {
	names := []string{""}
	for _, x := range list {
		if !slices.Contains(names, of(x)) {
			names = append(names, of(x))
		}
	}
	return names
}

func inCategory(flags []*Flag, category string) []*Flag {
	return slices.DeleteFunc(slices.Clone(flags), func(f *Flag) bool { return f.Category != category })
}

func flagList(flags []*Flag) string {
	b := &strings.Builder{}
	for _, f := range flags {
		entry(b, "   "+f.term(), f.explained(), helpColumn, helpWidth)
	}
	return b.String()
}

// term is how a flag is typed: "-i, --interval TIME".
func (f *Flag) term() string {
	var short, long []string
	for _, n := range f.names() {
		if len(n) == 1 {
			short = append(short, Dashed(n))
		} else {
			long = append(long, Dashed(n))
		}
	}
	t := strings.Join(append(short, long...), ", ")
	if len(short) == 0 {
		t = "    " + t
	}
	switch {
	case f.Optional:
		t += "[=" + f.value() + "]"
	case f.Takes != nil:
		t += " " + f.value()
	}
	return t
}

// explained is a flag's usage with its default and its variable.
func (f *Flag) explained() string {
	text := f.text()
	if f.Repeats {
		text += " (may be repeated)"
	}
	if f.Default != "" {
		text += " (default: " + f.Default + ")"
	}
	if f.Env != "" {
		text += " [$" + f.Env + "]"
	}
	return text
}

// Entry writes a term and what it means, which begins at a column, in lines for
// the Description of a command.
func Entry(b *strings.Builder, term, text string, column int) {
	entry(b, term, text, column, helpWidth-len(margin))
}

// entry writes a term and what it means, in lines of a width.
func entry(b *strings.Builder, term, text string, column, width int) {
	line := term
	switch {
	case len(term) > max(0, column-2):
		b.WriteString(term + "\n")
		line = strings.Repeat(" ", column)
	default:
		line += strings.Repeat(" ", column-len(term))
	}
	begun := false
	for word := range strings.FieldsSeq(text) {
		if begun && len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line, begun = strings.Repeat(" ", column), false
		}
		if begun {
			line += " "
		}
		line += word
		begun = true
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// HelpCommand returns the command help.
func (p *Program) HelpCommand() *Command {
	names := make([]string, len(p.Topics))
	for i, t := range p.Topics {
		names[i] = t.Name
	}
	c := &Command{
		Name:  "help",
		Usage: "list the commands, or explain one, or a topic",
		Args:  []Arg{{Name: "COMMAND", Optional: true, Repeats: true}},
		raw:   true,
		Action: func(c *Context) error {
			text, err := p.explain(c)
			if err != nil {
				return err
			}
			return p.print(text)
		},
	}
	if len(names) > 0 {
		c.Args[0].Name = "COMMAND or TOPIC"
		c.Description = "The topics are " + strings.Join(names, ", ") + ". Examples:\n\n" +
			"    " + p.Name + " help measure\n    " + p.Name + " help " + names[0]
	}
	return c
}

// explain is the help of the command, or the text of the topic, that the
// arguments name.
func (p *Program) explain(c *Context) (string, error) {
	words := c.args
	if len(words) == 0 {
		return p.help(nil), nil
	}
	i := slices.IndexFunc(p.Topics, func(t Topic) bool { return t.Name == words[0] })
	if i >= 0 && p.Find(words[0]) == nil {
		if len(words) > 1 {
			return "", c.Usagef("unexpected argument %q", words[1])
		}
		return p.Topics[i].Text() + "\n", nil
	}
	var cmd *Command
	list := p.Commands
	for _, w := range words {
		next := findCommand(list, w)
		switch {
		case next == nil && cmd == nil:
			return "", p.unknownTopic(w)
		case next == nil && cmd.Commands == nil:
			return "", c.Usagef("unexpected argument %q", w)
		case next == nil:
			return "", p.unknownCommand(cmd, w)
		}
		cmd, list = next, next.Commands
	}
	return p.help(cmd), nil
}

func (p *Program) unknownTopic(name string) error {
	var names []string
	for _, c := range p.Commands {
		names = append(names, c.Name)
	}
	for _, t := range p.Topics {
		names = append(names, t.Name)
	}
	text := fmt.Sprintf("there is no command or topic %q", name)
	if s := closest(name, names); s != "" {
		text += " (did you mean " + s + "?)"
	}
	return &UsageError{Text: text, Help: p.Name + " help"}
}
