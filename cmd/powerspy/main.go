// The runtime would look every second or so whether the number of processors
// has changed, which matters nothing to a program that waits for a meter.
//
//go:debug updatemaxprocs=0

// Command powerspy measures electric power with an Alciom PowerSpy2.
//
// `powerspy measure` is the main job: it finds the meter, pairs with it when
// that is needed, and prints readings. `powerspy help` lists the rest.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/term"

	"powerspy2/internal/output"
	"powerspy2/internal/screen"
	"powerspy2/internal/signals"
	"powerspy2/rfcomm"
)

func main() {
	// A process that raises a radio link for this program is this program, too.
	rfcomm.ForerunnerMain()
	os.Exit(mainStatus())
}

// mainStatus is main with an exit status, so that its deferred calls run.
func mainStatus() int {
	// The program does one thing at a time, often on the machine that is being
	// measured. With one processor the scheduler has no other to wake for it.
	// What can block for long is a system call that it knows of, during which
	// the processor goes to others, such as to who waits for a signal.
	runtime.GOMAXPROCS(1)
	ctx, interrupt := context.WithCancel(context.Background())
	taken, listening := signals.Interrupt(ctx, interrupt)
	defer func() {
		interrupt()
		if hangup, ok := <-listening; ok {
			signals.EndBy(hangup)
		}
	}()
	// Go ends a program that writes to a standard output nobody reads any
	// more. The meter has to be told to stop first, so that has to be an error.
	signal.Ignore(syscall.SIGPIPE)
	// Likewise for a limit on the size of files (ulimit -f), which is an error
	// like a full disk.
	signal.Ignore(syscall.SIGXFSZ)

	e := env{
		args:           os.Args,
		stdout:         output.NewDirect(os.Stdout),
		stderr:         &lastWords{w: os.Stderr, ctx: ctx},
		stdoutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		stderrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		getenv:         os.Getenv,
		interrupt:      interrupt,
		signals:        taken,
	}
	if e.stdoutTerminal {
		e.stdoutWidth = screen.Columns(os.Stdout)
	}
	if e.stderrTerminal {
		e.stderrWidth = screen.Columns(os.Stderr)
	}
	if e.stderrTerminal && term.IsTerminal(int(os.Stdin.Fd())) {
		e.terminal = openTerminal
	}
	return run(ctx, e)
}
