//go:build !linux

package signals

// quitOnSignal leaves SIGQUIT to Go's runtime.
func quitOnSignal() {}

// catchQuit: Go's runtime lets it be caught.
func catchQuit() (release func()) { return func() {} }

// LetStop does nothing: there SIGTSTP does what Go's runtime has it do.
func LetStop() (again func()) { return func() {} }
