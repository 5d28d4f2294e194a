package cli

import (
	_ "embed"
	"fmt"
	"strings"
)

// The scripts ask the program itself, so they know what this version knows.
var (
	//go:embed completion/powerspy.bash
	bashScript string
	//go:embed completion/powerspy.zsh
	zshScript string
	//go:embed completion/powerspy.fish
	fishScript string
)

// CompletionCommand returns the command that writes the script for a shell, by
// write, whose flags are given.
func (p *Program) CompletionCommand(write func(c *Context, text string) error, flags ...*Flag) *Command {
	scripts := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}
	shells := Choice{"bash", "zsh", "fish"}
	return &Command{
		Name:  "completion",
		Usage: "print the completion script for bash, zsh or fish",
		Args:  []Arg{{Name: "SHELL", What: "a shell: " + oneOf(shells), Takes: shells}},
		Flags: flags,
		Description: `Examples:

    source <(powerspy completion bash)        # in ~/.bashrc
    source <(powerspy completion zsh)         # in ~/.zshrc, after compinit
    mkdir -p ~/.config/fish/completions
    powerspy completion fish -o ~/.config/fish/completions/powerspy.fish`,
		Action: func(c *Context) error { return write(c, scripts[c.Arg(0)]) },
	}
}

// styleVariable makes complete add descriptions in the form that a shell takes
// them: zsh or fish. Bash has none.
const styleVariable = "POWERSPY_COMPLETION_STYLE"

// complete prints what the last word may become, which may be empty.
func (p *Program) complete(words []string) error {
	if len(words) == 0 {
		words = []string{""} // typed by a person
	}
	last := len(words) - 1
	before, current := words[:last], words[last]
	s := &parser{program: p, set: map[string]*given{}}
	for len(before) > 0 {
		if f := s.waiting(before); f != nil {
			return p.suggestAll("", f.words())
		}
		n, err := s.take(before)
		if err != nil && !strings.HasPrefix(before[0], "-") {
			return nil // there is no such command
		}
		// What else is wrong so far is told when the command is run.
		before = before[min(n, len(before)):]
	}
	if name, value, ok := strings.Cut(current, "="); ok && !s.ended && strings.HasPrefix(name, "-") {
		f := findFlag(s.flags(), strings.TrimLeft(name, "-"))
		if f == nil {
			return nil
		}
		var fit []string
		for _, w := range f.words() {
			if strings.HasPrefix(w, value) {
				fit = append(fit, w)
			}
		}
		return p.suggestAll(name+"=", fit)
	}
	if strings.HasPrefix(current, "-") && !s.ended {
		for _, f := range s.flags() {
			for _, n := range f.names() {
				if !strings.HasPrefix(Dashed(n), current) {
					continue
				}
				if err := p.suggest(Dashed(n), f.text()); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return s.completeArgument()
}

// waiting returns the flag whose value is the word after words; nil if there is
// none.
func (s *parser) waiting(words []string) *Flag {
	w := words[0]
	if s.ended || len(w) < 2 || w[0] != '-' || strings.Contains(w, "=") {
		return nil
	}
	name := w[len(w)-1:] // of letters the last: -qn
	if long, ok := strings.CutPrefix(w, "--"); ok {
		name = long
	}
	f := findFlag(s.flags(), name)
	if f == nil || f.Takes == nil || f.Optional || len(words) > max(1, f.Values) {
		return nil
	}
	return f
}

func (f *Flag) words() []string {
	if f.Takes == nil {
		return onOff{}.Words()
	}
	return f.Takes.Words()
}

// completeArgument prints what the next argument may be.
func (s *parser) completeArgument() error {
	p, c := s.program, s.command
	switch {
	case c == nil:
		return p.suggestCommands(p.Commands)
	case c.Commands != nil:
		return p.suggestCommands(c.Commands)
	case c.raw:
		return s.completeHelp()
	}
	n := len(s.args)
	if last := len(c.Args) - 1; last >= 0 && n > last && c.Args[last].Repeats {
		n = last
	}
	if n >= len(c.Args) || c.Args[n].Takes == nil {
		return nil
	}
	return p.suggestAll("", c.Args[n].Takes.Words())
}

// completeHelp prints what help can explain below the words so far.
func (s *parser) completeHelp() error {
	p := s.program
	if len(s.args) == 0 {
		for _, t := range p.Topics {
			if err := p.suggest(t.Name, t.Usage); err != nil {
				return err
			}
		}
		return p.suggestCommands(p.Commands)
	}
	if c := p.Find(s.args...); c != nil {
		return p.suggestCommands(c.Commands)
	}
	return nil
}

func (p *Program) suggestCommands(list []*Command) error {
	for _, c := range list {
		if err := p.suggest(c.Name, c.Usage); err != nil {
			return err
		}
	}
	return nil
}

func (p *Program) suggestAll(prefix string, words []string) error {
	for _, w := range words {
		if err := p.suggest(prefix+w, ""); err != nil {
			return err
		}
	}
	return nil
}

// suggest prints one suggestion.
func (p *Program) suggest(word, description string) error {
	line := word
	switch p.Getenv(styleVariable) {
	case "zsh":
		line = strings.ReplaceAll(word, ":", `\:`)
		if description != "" {
			line += ":" + description
		}
	case "fish":
		if description != "" {
			line += "\t" + description
		}
	}
	return p.print(fmt.Sprintln(line))
}
