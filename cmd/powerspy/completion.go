package main

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"powerspy2/internal/config"
	"powerspy2/internal/output"
)

// The scripts ask the command itself, through the library's hidden flag
// --generate-bash-completion, so they know what this version knows.
var (
	//go:embed completion/powerspy.bash
	bashScript string
	//go:embed completion/powerspy.zsh
	zshScript string
	//go:embed completion/powerspy.fish
	fishScript string
)

var shells = map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}

var shellNames = []string{"bash", "zsh", "fish"}

func (a *app) completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the completion script for bash, zsh or fish",
		ArgsUsage: "SHELL",
		Description: `Examples:

    source <(powerspy completion bash)        # in ~/.bashrc
    source <(powerspy completion zsh)         # in ~/.zshrc, after compinit
    powerspy completion fish > ~/.config/fish/completions/powerspy.fish`,
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return surplus(c, 1)
			}
			script, ok := shells[c.Args().First()]
			if !ok {
				return usagef(c, "shell %q is not one of %s", c.Args().First(), strings.Join(shellNames, ", "))
			}
			_, err := io.WriteString(a.env.stdout, script)
			return err
		},
	}
}

// styleVariable makes complete add descriptions in the form that a shell takes
// them: zsh or fish. Bash has none.
const styleVariable = "POWERSPY_COMPLETION_STYLE"

// complete prints what may follow. The arguments end with the word that is
// being typed, which may be empty, and the library's flag.
func (a *app) complete(c *cli.Context) {
	words := a.env.args[:len(a.env.args)-1]
	if len(words) < 2 {
		words = []string{c.App.Name, ""} // typed by a person
	}
	current := words[len(words)-1]
	previous := words[len(words)-2]
	if flag, value, ok := strings.Cut(current, "="); ok && strings.HasPrefix(flag, "-") {
		for _, v := range a.values(c, flag) {
			if strings.HasPrefix(v, value) {
				a.suggest(flag+"="+v, "")
			}
		}
		return
	}
	if takesValue(c, previous) {
		for _, v := range a.values(c, previous) {
			a.suggest(v, "")
		}
		return
	}
	if strings.HasPrefix(current, "-") {
		for _, f := range c.Command.VisibleFlags() {
			for _, n := range f.Names() {
				if strings.HasPrefix(dashed(n), current) {
					a.suggest(dashed(n), usageOf(f))
				}
			}
		}
		return
	}
	// The word that is being typed is an argument, too.
	switch args := c.Args().Slice(); {
	case len(args) == 0 && current == c.Command.Name: // a command's whole name: get may become get-all
		a.suggestCommands(c.Lineage()[1].Command.VisibleCommands())
	case c.Command.Name == "help":
		a.completeHelp(c, args)
	case len(args) > 1 && args[0] == "help":
		a.completeHelp(c, append([]string{c.Command.Name}, args[1:]...))
	case len(args) > 1:
	case c.Command.Name == "completion":
		for _, s := range shellNames {
			a.suggest(s, "")
		}
	case c.Command.Name == "period":
		for _, d := range []string{"1s", "10s", "1m"} {
			a.suggest(d, "")
		}
	default:
		a.suggestCommands(c.Command.VisibleCommands())
	}
}

// completeHelp prints what help can explain below the words before the last.
func (a *app) completeHelp(c *cli.Context, words []string) {
	list := c.App.VisibleCommands()
	if len(words) < 2 {
		for _, t := range topics {
			a.suggest(t.name, t.usage)
		}
	} else if cmd := c.App.Command(words[0]); cmd != nil && len(words) == 2 {
		list = visible(cmd.Subcommands)
	} else {
		list = nil
	}
	a.suggestCommands(list)
}

func (a *app) suggestCommands(list []*cli.Command) {
	for _, cmd := range list {
		a.suggest(cmd.Name, cmd.Usage)
	}
}

// takesValue tells whether the word is a flag that the next word is a value of.
func takesValue(c *cli.Context, word string) bool {
	if !strings.HasPrefix(word, "-") {
		return false
	}
	for _, f := range c.Command.VisibleFlags() {
		if slices.Contains(f.Names(), strings.TrimLeft(word, "-")) {
			_, generic := f.(*cli.GenericFlag) // --tcp stands alone
			d, ok := f.(cli.DocGenerationFlag)
			return ok && d.TakesValue() && !generic
		}
	}
	return false
}

// values lists what a flag may be given; nothing when that is open.
func (a *app) values(c *cli.Context, flag string) []string {
	switch strings.TrimLeft(flag, "-") {
	case "format", "f":
		if c.Command.Name == "info" {
			return infoFormats
		}
		return output.FormatNames()
	case "unit", "u":
		return output.UnitNames()
	case "time":
		return output.TimeFormatNames()
	case "fields":
		return output.FieldNames()
	case "interval", "i":
		return []string{"20ms", "100ms", "250ms", "1s", "10s"}
	case "for":
		return []string{"10m", "1h", "24h"}
	case "timeout":
		return []string{"10s", "1m", "1h"}
	case "periods", "n", "pretrigger":
		return []string{"1", "2", "10", "50", "100"}
	case syncFlag:
		return []string{"1s", "5s", "1m"}
	case deviceFlag, "d":
		return a.devices()
	case "from", "to":
		return stepNames()
	case adapterFlag:
		return []string{"hci0", "hci1"}
	}
	return nil
}

// devices lists the remembered meters. A configuration that can't be read has
// its error told by the command itself, not while it is being typed.
func (a *app) devices() []string {
	list := []string{"sim:", "tcp://", "/dev/rfcomm0"}
	path, err := config.Path(a.env.getenv)
	if err != nil {
		return list
	}
	c, err := config.Load(path)
	if err != nil {
		return list
	}
	for _, t := range c.Meters {
		// The scripts separate words by lines, shells by blanks.
		if t.Alias != "" && !strings.ContainsAny(t.Alias, " \t\n") {
			list = append(list, t.Alias)
		}
		list = append(list, t.Device())
	}
	return list
}

// usageOf is the description of a flag, without the marks of its placeholder.
func usageOf(f cli.Flag) string {
	if d, ok := f.(cli.DocGenerationFlag); ok {
		return strings.ReplaceAll(d.GetUsage(), "`", "")
	}
	return ""
}

// suggest prints one suggestion. Its writer keeps errors.
func (a *app) suggest(word, description string) {
	switch style := a.env.getenv(styleVariable); {
	case style == "zsh" && description != "":
		_, _ = fmt.Fprintf(a.env.stdout, "%s:%s\n", strings.ReplaceAll(word, ":", `\:`), description)
	case style == "zsh":
		_, _ = fmt.Fprintln(a.env.stdout, strings.ReplaceAll(word, ":", `\:`))
	case style == "fish" && description != "":
		_, _ = fmt.Fprintf(a.env.stdout, "%s\t%s\n", word, description)
	default:
		_, _ = fmt.Fprintln(a.env.stdout, word)
	}
}
