package main

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
	// rt_sigaction(2): an all-zero struct sigaction is SIG_DFL without flags, and
	// the kernel's set of signals has 64 bits.
	var usual [4]uint64
	const size = 8
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGQUIT), uintptr(unsafe.Pointer(&usual)), 0, size, 0, 0)
	_ = errno // what the runtime does is not wrong either
}
