package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	tea "charm.land/bubbletea/v2"

	"powerspy2/internal/progress"
	"powerspy2/internal/watch"
	"powerspy2/measure"
	"powerspy2/meter"
)

// Where watch can't draw it says what to type.
func TestWatchRefuses(t *testing.T) {
	tests := []struct {
		name     string
		terminal bool
		term     string
		args     string
		want     string
	}{
		{name: "a pipe", term: "xterm", args: "watch -d sim:", want: "standard output is no terminal to draw on; `powerspy measure` writes readings as lines\n"},
		{name: "a dumb terminal", terminal: true, term: "dumb", args: "watch -d sim:", want: "(TERM says so); `powerspy measure` writes readings as lines\n"},
		{name: "a file", terminal: true, term: "xterm", args: "watch -d ../../docs/README.md", want: "has recorded; `powerspy measure --device FILE` makes readings of it\n"},
		{name: "verbose", terminal: true, term: "xterm", args: "watch -v -d sim:", want: "2> FILE gives it one; type `powerspy watch --help`\n"},
		{name: "no interval", terminal: true, term: "xterm", args: "watch -i 1ns -d sim:", want: "give an interval such as 20ms, 250ms or 1s\n"},
		{name: "a record on standard output", terminal: true, term: "xterm", args: "watch --record - -d sim:", want: "--record takes a file: what is read again is no stream; type `powerspy watch --help`\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			home := t.TempDir()
			status := run(t.Context(), env{
				args: append([]string{"powerspy"}, strings.Fields(tt.args)...), stdout: &out, stderr: &errs,
				stdoutTerminal: tt.terminal, stderrTerminal: tt.terminal,
				getenv: func(k string) string {
					return map[string]string{"TERM": tt.term, "HOME": home, "XDG_RUNTIME_DIR": home}[k]
				},
				interrupt: func() {},
			})
			if got := errs.String(); status != 2 || out.Len() > 0 || !strings.HasSuffix(got, tt.want) {
				t.Errorf("exit status %d, %q, %q", status, out.String(), got)
			}
		})
	}
}

// While a picture is drawn, what the command would write is shown in it, and no
// longer than that.
func TestWatchBoard(t *testing.T) {
	var errs bytes.Buffer
	p := &progress.Teller{Out: &errs, Terminal: true}
	var recorded []measure.Mark
	b := &board{progress: p, marks: func(m measure.Mark) { recorded = append(recorded, m) }}
	b.report(meter.Status{Phase: meter.Noticed, Text: "before"})
	seen := watch.NewSeen(time.Second, 0, 0)
	model := watch.New(watch.Config{}, seen)
	model.Update(tea.WindowSizeMsg{Width: 100, Height: 30})
	shown := func() string { return ansi.Strip(model.View().Content) }
	b.open(seen)
	p.Line("the disk is %s", "full")
	if got := shown(); !strings.Contains(got, "the disk is full") {
		t.Errorf("a line is not in\n%s", got)
	}
	b.report(meter.Status{Phase: meter.Recovering, Text: "connecting again"})
	b.mark(measure.Mark{Time: time.Now(), Name: "build"})
	if got := shown(); !strings.Contains(got, "away: connecting again") || len(recorded) != 1 {
		t.Errorf("%d marks and\n%s", len(recorded), got)
	}
	b.close()
	p.Line("after")
	if got := strings.ReplaceAll(errs.String(), progress.ClearLine, ""); got != "powerspy: before\npowerspy: after\n" {
		t.Errorf("standard error got %q", got)
	}
}

func TestUTF8Locale(t *testing.T) {
	tests := []struct {
		vars map[string]string
		want bool
	}{
		{map[string]string{}, false},
		{map[string]string{"LANG": "de_DE.UTF-8"}, true},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, false},
		{map[string]string{"LANG": "C", "LC_CTYPE": "C.utf8"}, true},
		{map[string]string{"LANG": "de_DE@euro"}, false},
	}
	for _, tt := range tests {
		if got := utf8Locale(func(k string) string { return tt.vars[k] }); got != tt.want {
			t.Errorf("%v: %v", tt.vars, got)
		}
	}
}
