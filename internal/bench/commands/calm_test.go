package commands

import (
	"testing"

	"powerspy2/internal/busy"
)

func TestUseText(t *testing.T) {
	got := useText(&busy.Use{All: 0.51, Most: 0.5, PID: 3, Process: busy.Process{Name: "busy\x1b[2J"}})
	if want := `other processes use 51 % of a processor; most of it, 50 %, process 3 (busy\x1b[2J) of user unknown`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
