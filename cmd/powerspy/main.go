// Command powerspy measures electric power with an Alciom PowerSpy2.
//
// `powerspy measure` is the main job: it finds the meter, pairs with it when
// that is needed, and prints readings. `powerspy help` lists the rest.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"powerspy2/internal/output"
)

func main() {
	os.Exit(mainStatus())
}

// mainStatus is main with an exit status, so that its deferred calls run.
func mainStatus() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal asks the command to end. A second one ends it at once,
	// as if it had never been caught.
	context.AfterFunc(ctx, stop)
	// Go ends a program that writes to a standard output nobody reads any
	// more. The meter has to be told to stop first, so that has to be an error.
	signal.Ignore(syscall.SIGPIPE)

	e := env{
		args:           os.Args,
		stdout:         output.NewDirect(os.Stdout),
		stderr:         os.Stderr,
		stdoutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		stderrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		getenv:         os.Getenv,
		interrupt:      stop,
	}
	if e.stderrTerminal && term.IsTerminal(int(os.Stdin.Fd())) {
		e.terminal = openTerminal
	}
	return run(ctx, e)
}
