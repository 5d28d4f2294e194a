//go:build !linux

package main

// quitOnSignal leaves SIGQUIT to Go's runtime.
func quitOnSignal() {}
