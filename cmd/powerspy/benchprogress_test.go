package main

import (
	"testing"

	"powerspy2/internal/bench/commands"
	"powerspy2/internal/progress"
)

// TestBenchStyles: what --style makes of a terminal, and of none.
func TestBenchStyles(t *testing.T) {
	for _, tt := range []struct {
		style, output, noColor string
		terminal               bool
		want                   benchStyle
		quiet                  bool
	}{
		{"", commands.OutputNull, "", true, benchStyle{bar: true, color: true}, false},
		{"auto", commands.OutputNull, "1", true, benchStyle{bar: true}, false},
		{"", commands.OutputInherit, "", true, benchStyle{}, false},
		{"", commands.OutputNull, "", false, benchStyle{}, false},
		{"full", commands.OutputNull, "", false, benchStyle{bar: true, color: true}, false},
		{"nocolor", commands.OutputNull, "", false, benchStyle{bar: true}, false},
		{"color", commands.OutputNull, "", true, benchStyle{color: true}, false},
		{"basic", commands.OutputNull, "", true, benchStyle{}, false},
		{"none", commands.OutputNull, "", true, benchStyle{silent: true}, true},
	} {
		e := env{stdoutTerminal: tt.terminal, getenv: func(k string) string { return map[string]string{"TERM": "xterm", "NO_COLOR": tt.noColor}[k] }}
		p := &progress.Teller{Terminal: tt.terminal}
		if got := newBenchStyle(e, &benchPlan{style: tt.style, Plan: commands.Plan{Output: []string{tt.output}}}, p); *got != tt.want || p.Quiet != tt.quiet {
			t.Errorf("%+v: %+v, quiet %v", tt, *got, p.Quiet)
		}
	}
}
