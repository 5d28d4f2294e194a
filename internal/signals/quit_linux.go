package signals

import (
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

// quitOnSignal gives SIGQUIT (Ctrl-\) its usual meaning: the program ends at
// once, by the signal, with a core where the system keeps any. Go's runtime would
// print all goroutines and exit with 2, which means wrong usage here. Whoever
// wants to see them asks so by GOTRACEBACK.
func quitOnSignal() {
	if os.Getenv("GOTRACEBACK") != "" || signal.Ignored(syscall.SIGQUIT) {
		return
	}
	goQuit = sigaction(syscall.SIGQUIT, action{})
}

// goQuit is what Go's runtime does on SIGQUIT.
var goQuit action

// catchQuit lets SIGQUIT be caught by a channel of os/signal, until release is
// called.
func catchQuit() (release func()) {
	if goQuit == (action{}) {
		return func() {}
	}
	sigaction(syscall.SIGQUIT, goQuit)
	return func() { sigaction(syscall.SIGQUIT, action{}) }
}

// LetStop gives SIGTSTP, which is caught, its usual meaning until again is called:
// after signal.Reset Go's runtime would do nothing on it.
func LetStop() (again func()) {
	caught := sigaction(syscall.SIGTSTP, action{})
	return func() { sigaction(syscall.SIGTSTP, caught) }
}

// An action is a struct sigaction of the kernel's (rt_sigaction(2)). An all-zero
// one is SIG_DFL without flags. The kernel's set of signals has 64 bits.
type action [5]uintptr // one word more than 64-bit systems have

// sigaction sets what happens on a signal, and returns what did before.
func sigaction(s syscall.Signal, to action) (from action) {
	const size = 8
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&to)), uintptr(unsafe.Pointer(&from)), size, 0, 0)
	_ = errno // what happened before is not wrong either
	return from
}
