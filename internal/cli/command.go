package cli

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"
)

// A Program is a command line.
type Program struct {
	Name        string
	Usage       string // what it is for, in a line without a dot
	Description string // as of a Command
	Version     string // what --version prints
	Flags       []*Flag
	Commands    []*Command
	Topics      []Topic
	Sections    []Topic // of the man page alone, at its end

	Stdout io.Writer
	Getenv func(string) string

	// Unexpected says more about an argument that a command does not take; "" if
	// there is nothing to say. May be nil.
	Unexpected func(c *Command, arg string) string
}

// A Command is what can be typed, or a group of such.
type Command struct {
	Name  string
	Usage string // what it does, in a line without a dot

	Category string // under which help lists it; may be empty

	// Description is in lines of up to 79 columns. Indented ones are shown as
	// they are, such as examples.
	Description string

	Args  []Arg   // none: arguments are refused
	Flags []*Flag // those of the program have to be among them to have a meaning

	// ArgsEndFlags says that the first argument ends the flags: what follows is
	// the command line of another program.
	ArgsEndFlags bool

	Commands []*Command           // of a group, which has no Args
	Action   func(*Context) error // a group without one needs one of its Commands

	words string // how it is typed, such as "clock set"
	raw   bool   // it reads its arguments itself: help
}

// An Arg is an argument.
type Arg struct {
	Name     string // as help shows it, such as FILE
	What     string // as a sentence has it, such as "the name of a file"
	Takes    Type   // nil: any text
	Optional bool   // and all behind it
	Repeats  bool   // the last one
}

// A Flag is an option.
type Flag struct {
	Name     string
	Aliases  []string // letters, or longer names
	Usage    string   // in a line; the name of its value in backquotes
	Category string   // under which help lists it
	Default  string   // what it is when it is not given, for help; may be empty
	Env      string   // the variable that is its value when it is not given; may be empty
	Takes    Type     // its value; nil: it is a switch, which takes true or false after =
	Optional bool     // the value may be left out, so that it has to stand after =
	Values   int      // how many values it takes, one after the other; 0: one
	Repeats  bool     // it is a list: it may be given more than once
}

// A Topic is a text of help that belongs to no single command.
type Topic struct {
	Name  string
	Usage string
	Text  func() string // lines of up to 79 columns
}

// names returns all the names of a flag.
func (f *Flag) names() []string { return append([]string{f.Name}, f.Aliases...) }

// value is the name of its value.
func (f *Flag) value() string {
	if f.Takes == nil {
		return ""
	}
	_, rest, _ := strings.Cut(f.Usage, "`")
	name, _, ok := strings.Cut(rest, "`")
	if !ok {
		return "VALUE"
	}
	return name
}

// text is its usage without the marks around the name of its value.
func (f *Flag) text() string { return strings.ReplaceAll(f.Usage, "`", "") }

// Dashed returns a flag's name as it is typed.
func Dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// findFlag finds a flag by one of its names; nil if there is none.
func findFlag(flags []*Flag, name string) *Flag {
	i := slices.IndexFunc(flags, func(f *Flag) bool { return slices.Contains(f.names(), name) })
	if i < 0 {
		return nil
	}
	return flags[i]
}

// findCommand finds a command by its name; nil if there is none.
func findCommand(commands []*Command, name string) *Command {
	i := slices.IndexFunc(commands, func(c *Command) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return commands[i]
}

// Find returns the command that words such as "clock", "set" name; nil if there
// is none.
func (p *Program) Find(words ...string) *Command {
	p.setup()
	list := p.Commands
	var c *Command
	for _, w := range words {
		if c = findCommand(list, w); c == nil {
			return nil
		}
		list = c.Commands
	}
	return c
}

// Walk calls visit with each command and those below it.
func (p *Program) Walk(visit func(c *Command)) {
	p.setup()
	var walk func([]*Command)
	walk = func(list []*Command) {
		for _, c := range list {
			visit(c)
			walk(c.Commands)
		}
	}
	walk(p.Commands)
}

// Words returns how the command is typed, such as "clock set".
func (c *Command) Words() string { return c.words }

// setup tells the commands how they are typed.
func (p *Program) setup() {
	var name func(under string, list []*Command)
	name = func(under string, list []*Command) {
		for _, c := range list {
			c.words = under + c.Name
			name(c.words+" ", c.Commands)
		}
	}
	name("", p.Commands)
}

// A Context is a command line that was understood.
type Context struct {
	context.Context
	Command *Command

	program *Program
	set     map[string]*given // by the flag's name
	args    []string
	parsed  []any // the arguments by their types
}

// given is what a flag was given.
type given struct {
	as     string // the name that was typed
	env    bool   // it was not typed: its variable is set
	texts  []string
	values []any
}

// IsSet says whether the flag was given, or its variable is set.
func (c *Context) IsSet(flag string) bool { return c.set[flag] != nil }

// IsTyped says whether the flag was given on the command line.
func (c *Context) IsTyped(flag string) bool { return c.set[flag] != nil && !c.set[flag].env }

// String returns what a flag was given, as it was typed; "" if it was not.
func (c *Context) String(flag string) string {
	if g := c.set[flag]; g != nil {
		return g.texts[0]
	}
	return ""
}

// Value returns the value of a flag, and the zero value if it was not given. A
// flag of another type is a mistake of the program's.
func Value[T any](c *Context, flag string) T {
	var none T
	if g := c.set[flag]; g != nil {
		return g.values[0].(T)
	}
	return none
}

// Values returns the values of a list, in their order.
func Values(c *Context, flag string) []any {
	if g := c.set[flag]; g != nil {
		return g.values
	}
	return nil
}

// Bool returns whether a switch is on.
func (c *Context) Bool(flag string) bool { return Value[bool](c, flag) }

// Int returns the value of a [Count].
func (c *Context) Int(flag string) int { return Value[int](c, flag) }

// Float64 returns the value of a [Number].
func (c *Context) Float64(flag string) float64 { return Value[float64](c, flag) }

// Duration returns the value of a [Duration].
func (c *Context) Duration(flag string) time.Duration { return Value[time.Duration](c, flag) }

// Args returns the arguments.
func (c *Context) Args() []string { return c.args }

// Arg returns an argument as it was typed, from 0; "" if it was left out.
func (c *Context) Arg(i int) string {
	if i >= len(c.args) {
		return ""
	}
	return c.args[i]
}

// ArgValue returns the value of an argument, from 0, and the zero value if it was
// left out. An argument of another type is a mistake of the program's.
func ArgValue[T any](c *Context, i int) T {
	if i >= len(c.parsed) {
		var none T
		return none
	}
	return c.parsed[i].(T)
}

// Usagef returns a [UsageError] about the command.
func (c *Context) Usagef(format string, args ...any) error {
	return c.program.usagef(c.Command, format, args...)
}

// HasFlag says whether a command has a flag of that name.
func (c *Command) HasFlag(name string) bool { return findFlag(c.Flags, name) != nil }
