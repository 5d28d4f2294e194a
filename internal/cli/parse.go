package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// helpFlag is every command's.
var helpFlag = &Flag{Name: "help", Aliases: []string{"h"}, Usage: "show help"}

var versionFlag = &Flag{Name: "version", Usage: "print the version"}

// completeFlag, as the last word, asks what the word before it may become.
const completeFlag = "--complete"

// Run does what args say, the program's name first. Errors are a [UsageError],
// that of the command's Action, or that of writing to Stdout.
func (p *Program) Run(ctx context.Context, args []string) error {
	args = args[min(1, len(args)):]
	if n := len(args) - 1; n >= 0 && args[n] == completeFlag {
		p.setup()
		return p.complete(args[:n])
	}
	c, text, err := p.parse(args)
	switch {
	case err != nil:
		return err
	case c == nil:
		return p.print(text)
	}
	c.Context = ctx
	return c.Command.Action(c)
}

// Check says what [Program.Run] would refuse of args, without the program's name.
// Its error is a [UsageError].
func (p *Program) Check(args ...string) error {
	_, _, err := p.parse(args)
	return err
}

// parse reads a command line. It returns nil and a text where that is all that
// is asked for.
func (p *Program) parse(args []string) (*Context, string, error) {
	p.setup()
	s := &parser{program: p, set: map[string]*given{}}
	for len(args) > 0 && !s.help && !s.version {
		n, err := s.take(args)
		if err != nil {
			return nil, "", err
		}
		args = args[n:]
	}
	switch {
	case s.version:
		return nil, p.Name + " " + p.Version + "\n", nil
	case s.help, s.command == nil:
		return nil, p.help(s.command), nil
	case s.command.Action == nil:
		return nil, "", s.noSubcommand()
	}
	c, err := s.finish()
	return c, "", err
}

// A parser reads a command line.
type parser struct {
	program *Program
	command *Command // nil: not there yet
	set     map[string]*given
	args    []string
	ended   bool // there are no more flags
	help    bool
	version bool
}

// flags are those that may come now.
func (s *parser) flags() []*Flag {
	if s.command == nil {
		return append(slices.Clip(s.program.Flags), helpFlag, versionFlag)
	}
	return append(slices.Clip(s.command.Flags), helpFlag)
}

// take reads what words begin with, and returns how many it was.
func (s *parser) take(words []string) (int, error) {
	w := words[0]
	switch {
	case s.ended || len(w) < 2 || w[0] != '-':
		return 1, s.argument(w)
	case w == "--":
		s.ended = true
		return 1, nil
	case strings.HasPrefix(w, "--"):
		return s.long(words)
	case findFlag(s.flags(), w[1:2]) == nil && strings.ContainsRune(".0123456789", rune(w[1])):
		return 1, s.argument(w) // a negative number
	}
	return s.letters(words)
}

// argument takes the name of a command, or its argument.
func (s *parser) argument(w string) error {
	var list []*Command
	switch {
	case s.command == nil:
		list = s.program.Commands
	case s.command.Commands != nil:
		list = s.command.Commands
	default:
		s.args = append(s.args, w)
		s.ended = s.ended || s.command.ArgsEndFlags
		return nil
	}
	if c := findCommand(list, w); c != nil {
		s.command = c
		return nil
	}
	if w == helpFlag.Name && s.command != nil { // clock help set
		s.args, s.command = strings.Fields(s.command.words), s.program.Find(helpFlag.Name)
		if s.command != nil {
			return nil
		}
	}
	return s.program.unknownCommand(s.command, w)
}

func (s *parser) noSubcommand() error {
	var names []string
	for _, c := range s.command.Commands {
		names = append(names, c.Name)
	}
	return s.program.usagef(s.command, "%s needs one of %s", s.command.words, strings.Join(names, ", "))
}

// long takes --name, --name=value or --name value.
func (s *parser) long(words []string) (int, error) {
	name, value, assigned := strings.Cut(words[0][2:], "=")
	f := findFlag(s.flags(), name)
	if f == nil || len(name) == 1 {
		return 1, s.program.unknownFlag(s.command, s.flags(), "--"+name)
	}
	if assigned {
		return s.values(f, name, []string{value}, words[1:])
	}
	return s.values(f, name, nil, words[1:])
}

// letters takes -n1, -n=1, -n 1, -q and several of them in one: -qn1.
func (s *parser) letters(words []string) (int, error) {
	w := words[0][1:]
	if name, _, _ := strings.Cut(w, "="); len(name) > 1 && findFlag(s.flags(), name) != nil {
		// Not taken for -d ebug.
		return 1, s.program.usagef(s.command, "write -%s with two dashes: --%[1]s", name)
	}
	for i, letter := range w {
		name := string(letter)
		f := findFlag(s.flags(), name)
		if f == nil {
			return 1, s.program.unknownFlag(s.command, s.flags(), "-"+name)
		}
		rest := w[i+len(name):]
		switch {
		case strings.HasPrefix(rest, "="):
			return s.values(f, name, []string{rest[1:]}, words[1:])
		case f.Takes != nil && !f.Optional && rest != "":
			return s.values(f, name, []string{rest}, words[1:])
		case rest == "":
			return s.values(f, name, nil, words[1:])
		}
		if _, err := s.values(f, name, nil, nil); err != nil {
			return 1, err
		}
	}
	return 1, nil
}

// values gives a flag, typed as name, the values that stand in its own word, and
// as many of the next words as it needs besides. It returns how many words that
// were, with the flag's own.
func (s *parser) values(f *Flag, name string, values, next []string) (int, error) {
	switch f {
	case helpFlag:
		s.help = true
		return 1, nil
	case versionFlag:
		s.version = true
		return 1, nil
	}
	g, err := s.once(f, name)
	if err != nil {
		return 1, err
	}
	own := len(values)
	switch {
	case f.Takes == nil && own == 0:
		values = []string{"true"}
	case f.Optional && own == 0:
		g.texts, g.values = append(g.texts, ""), append(g.values, "")
		return 1, nil
	case f.Takes != nil && !f.Optional:
		for len(values) < max(1, f.Values) {
			i := len(values) - own
			if i >= len(next) || s.isLong(next[i]) {
				return 1, s.program.usagef(s.command, "%s needs %s", Dashed(name), f.needs())
			}
			values = append(values, next[i])
		}
	}
	for _, text := range values {
		v, err := f.parse(text, Dashed(name))
		if err != nil {
			return 1, s.program.usagef(s.command, "%s", err)
		}
		g.texts, g.values = append(g.texts, text), append(g.values, v)
	}
	if f.Takes == nil {
		return 1, nil
	}
	return 1 + len(values) - own, nil
}

// once returns where what a flag is given goes, unless it was given before.
func (s *parser) once(f *Flag, name string) (*given, error) {
	g := s.set[f.Name]
	switch {
	case g == nil:
		g = &given{as: name}
		s.set[f.Name] = g
	case !f.Repeats && g.as != name:
		return nil, s.program.usagef(s.command, "%s and %s are the same flag; give one of them", Dashed(g.as), Dashed(name))
	case !f.Repeats:
		return nil, s.program.usagef(s.command, "%s is given twice", Dashed(name))
	}
	return g, nil
}

// isLong says whether a word is a flag, which is not a value then: a value is missing.
func (s *parser) isLong(w string) bool {
	name, long := strings.CutPrefix(w, "--")
	return long && len(name) > 1 && findFlag(s.flags(), name) != nil
}

func (f *Flag) needs() string {
	if f.Values > 1 {
		return fmt.Sprintf("%d values, %s", f.Values, f.value())
	}
	return "a value"
}

// parse reads a value; of is where it stands.
func (f *Flag) parse(text, of string) (any, error) {
	t := f.Takes
	if t == nil {
		t = onOff{}
	}
	v, err := t.Parse(text)
	if err != nil {
		return nil, errors.New(wrongValue(t, text, of, err))
	}
	return v, nil
}

// finish checks the arguments, and looks at the variables.
func (s *parser) finish() (*Context, error) {
	c := &Context{Command: s.command, program: s.program, set: s.set, args: s.args}
	if !s.command.raw {
		if err := s.checkArgs(c); err != nil {
			return nil, err
		}
	}
	for _, f := range s.command.Flags {
		if f.Env == "" || s.set[f.Name] != nil {
			continue
		}
		text := s.program.Getenv(f.Env)
		if text == "" {
			continue
		}
		v, err := f.parse(text, "$"+f.Env)
		if err != nil {
			return nil, s.program.usagef(s.command, "%s", err)
		}
		s.set[f.Name] = &given{as: f.Name, env: true, texts: []string{text}, values: []any{v}}
	}
	return c, nil
}

// checkArgs reads the arguments by their types.
func (s *parser) checkArgs(c *Context) error {
	described := s.command.Args
	for i, text := range s.args {
		if n := len(described) - 1; i > n && (n < 0 || !described[n].Repeats) {
			return s.unexpected(text)
		}
		a := described[min(i, len(described)-1)]
		if text == "" && !(s.command.ArgsEndFlags && i > 0) {
			return s.program.usagef(s.command, "%s needs %s, and %s is empty", s.command.words, a.What, a.Name)
		}
		if a.Takes == nil {
			c.parsed = append(c.parsed, text)
			continue
		}
		v, err := a.Takes.Parse(text)
		if err != nil {
			return s.program.usagef(s.command, "%s", wrongValue(a.Takes, text, a.Name, err))
		}
		c.parsed = append(c.parsed, v)
	}
	if n := len(s.args); n < len(described) && !described[n].Optional {
		return s.program.usagef(s.command, "%s needs %s", s.command.words, described[n].What)
	}
	return nil
}

func (s *parser) unexpected(arg string) error {
	text := fmt.Sprintf("unexpected argument %q", arg)
	if s.program.Unexpected != nil {
		if more := s.program.Unexpected(s.command, arg); more != "" {
			text += "; " + more
		}
	}
	return s.program.usagef(s.command, "%s", text)
}
