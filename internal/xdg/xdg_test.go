package xdg

import (
	"strings"
	"testing"
)

func TestDirectories(t *testing.T) {
	of := map[string]func(func(string) string) (string, error){"CONFIG": Config, "STATE": State, "CACHE": Cache}
	for _, tt := range []struct {
		kind, variable, home string
		want, err            string
	}{
		{"CONFIG", "/c", "/home/a", "/c/powerspy", ""},
		{"CONFIG", "", "/home/a", "/home/a/.config/powerspy", ""},
		{"STATE", "", "/home/a", "/home/a/.local/state/powerspy", ""},
		{"STATE", "/s", "", "/s/powerspy", ""},
		{"CACHE", "", "/home/a", "/home/a/.cache/powerspy", ""},
		{"CACHE", "relative", "/home/a", "/home/a/.cache/powerspy", ""},
		{"CACHE", "relative", "", "", "neither XDG_CACHE_HOME nor HOME is set"},
		{"STATE", "", "a", "", `HOME is "a", which is not an absolute path`},
	} {
		env := map[string]string{"XDG_" + tt.kind + "_HOME": tt.variable, "HOME": tt.home}
		got, err := of[tt.kind](func(name string) string { return env[name] })
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%+v: got %q, %v", tt, got, err)
		}
	}
}
