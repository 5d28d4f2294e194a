//go:build !linux

package main

// quitOnSignal leaves SIGQUIT to Go's runtime.
func quitOnSignal() {}

// catchQuit: Go's runtime lets it be caught.
func catchQuit() (release func()) { return func() {} }

// letStop does nothing: there SIGTSTP does what Go's runtime has it do.
func letStop() (again func()) { return func() {} }
