package main

import (
	"errors"
	"strings"
	"testing"

	"powerspy2/internal/bench"
)

// TestBenchKeeper: a disk that hangs holds up no run, what fails is told once, and
// nothing is written after the end.
func TestBenchKeeper(t *testing.T) {
	began, goOn := make(chan string), make(chan error)
	told := 0
	k := &benchKeeper{
		put: func(text []byte) error {
			began <- string(text)
			return <-goOn
		},
		warn: func(error) { told++ },
	}
	k.end() // nothing was written
	k.keep(&bench.Result{})
	if text := <-began; !strings.Contains(text, `"interrupted": true`) {
		t.Errorf("written: %s", text)
	}
	for range 3 {
		k.keep(&bench.Result{}) // returns
	}
	for range 2 {
		goOn <- errors.New("no space left on device")
		k.end()
		k.keep(&bench.Result{})
		<-began
	}
	goOn <- nil
	k.end()
	if k.writing != nil || told != 1 {
		t.Errorf("told %d times, %v", told, k.writing)
	}
}
