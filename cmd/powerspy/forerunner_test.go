package main

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"powerspy2/bdaddr"
	"powerspy2/rfcomm"
)

// The command executes itself to raise a radio link. Nobody is told of that form
// of it, and nobody can type it.
func TestForerunner(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"man"}, {"completion", "bash"}} {
		out, err := exec.Command("powerspy", args...).Output()
		if err != nil || len(out) == 0 {
			t.Errorf("%v: %v", args, err)
		}
		if strings.Contains(string(out), "forerunner") {
			t.Errorf("%v tells of it", args)
		}
	}
	var exit *exec.ExitError
	err := exec.Command("powerspy", "bluetooth-forerunner", "00:00:00:00:00:01", "00:00:00:00:00:02").Run()
	if !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("typed, it ends with %v, want exit status 2", err)
	}

	// The real thing, as far as it gets here: the address of no adapter.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err = rfcomm.SpawnForerunner(ctx, bdaddr.Address{9, 9, 9, 9, 9, 9}, bdaddr.Address{1})
	if !errors.Is(err, rfcomm.ErrNotSupported) && !errors.Is(err, rfcomm.ErrAdapterDown) {
		t.Errorf("got %v", err)
	}
}
