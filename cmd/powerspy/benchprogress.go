package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"powerspy2/internal/bench"
	"powerspy2/internal/bench/commands"
	"powerspy2/internal/figures"
	"powerspy2/internal/harmless"
	"powerspy2/internal/progress"
	"powerspy2/internal/screen"
	"powerspy2/measure"
	"powerspy2/meter"
)

// A benchProgress tells how far a bench is, on a terminal.
type benchProgress struct {
	progress *progress.Teller
	commands []commands.Command
	set      func(done, total int, text string) // nil: there is no bar
	last     bench.Progress
}

// begin begins to show the bar.
func (b *benchProgress) begin() { b.set = b.progress.Steps() }

// end takes it away.
func (b *benchProgress) end() {
	b.progress.End()
	b.set = nil
}

// tell takes the progress of an engine.
func (b *benchProgress) tell(p bench.Progress) {
	b.last = p
	what := ""
	if p.Step.Attempt > 0 {
		what = "again"
	}
	if p.Step.Warmup {
		what = "warm-up"
	}
	b.show(what)
}

// say shows what the next run waits for.
func (b *benchProgress) say(text string) { b.show(text) }

func (b *benchProgress) show(what string) {
	if b.set == nil {
		return
	}
	p := &b.last
	text := ""
	add := func(format string, args ...any) {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf(format, args...)
	}
	if p.Left > 0 {
		add("%v left", p.Left.Round(time.Second))
	}
	if what != "" {
		add("%s", what)
	}
	name := harmless.Text(b.commands[p.Step.Command].Name)
	switch {
	case math.IsNaN(p.Mean):
		add("%s", name)
	case math.IsNaN(p.Half):
		add("mean %s J: %s", figures.Significant(p.Mean), name)
	default:
		add("mean %s: %s", figures.WithUncertainty(p.Mean, p.Half, "J"), name)
	}
	b.set(p.Done, p.Total, text)
}

// benchEvents is a sink that tells a person what goes on beside windows.
type benchEvents struct {
	progress *progress.Teller
	gaps     *progress.Gaps
}

var _ measure.Sink = (*benchEvents)(nil)

// Event implements measure.Sink.
func (b *benchEvents) Event(e *meter.Event) error {
	switch e.Kind {
	case meter.GapEvent:
		b.gaps.Add(&e.Gap)
	case meter.StatusEvent:
		b.gaps.Flush(false)
		b.progress.Line("%s", statusText(&e.Status))
	}
	return nil
}

// End implements measure.Sink.
func (b *benchEvents) End() error { b.gaps.Flush(true); return nil }

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
