package main

import (
	"slices"

	"powerspy2/internal/bench/commands"
	"powerspy2/internal/progress"
	"powerspy2/internal/screen"
)

// A benchStyle is how a bench tells what it has to tell.
type benchStyle struct {
	bar    bool
	color  bool
	silent bool // of results; errors are told
	told   int  // how many warnings were told before the runs
}

// newBenchStyle returns the style that was asked for, or what suits.
func newBenchStyle(e env, p *benchPlan, progress *progress.Teller) *benchStyle {
	shown := slices.Contains(p.Output, commands.OutputInherit)
	s := &benchStyle{}
	switch p.style {
	case "basic":
	case "full":
		s.bar, s.color = true, true
	case "nocolor":
		s.bar = true
	case "color":
		s.color = true
	case "none":
		s.silent, progress.Quiet = true, true
	default:
		s.bar = progress.Terminal && !shown
		s.color = e.stdoutTerminal && !screen.Dumb(e.getenv) && !shown && e.getenv("NO_COLOR") == ""
		return s
	}
	progress.Terminal = s.bar
	return s
}
