package rfcomm

import (
	"context"

	"powerspy2/bdaddr"
)

// A Forerunner raises the radio link from an adapter to a device, so that a connect that follows needs none of its own.
// It returns when the link is up, or with the error of a connect that could not raise it: see Config.Forerunner.
type Forerunner func(ctx context.Context, local, remote bdaddr.Address) error

// SpawnForerunner is a Forerunner that runs in a process of its own, which a kernel with the failed-connect bug may kill
// without harm to this one. The process is this program, executed again: its main must begin with ForerunnerMain. It
// connects to the device's service discovery by L2CAP (PSM 1, for which no security is asked), says how that went, and
// closes. Whatever becomes of ctx, it runs to the end of its connect, some five seconds for a device that is away,
// because a connect that is cut short is as dangerous as one that fails; it is in a session of its own, so that Ctrl-C
// does not reach it.
//
// Errors are those of a connect(2) (ErrAbsent, ErrRefused, ErrKeyRefused, ErrAdapterDown), the context's, or say that the
// process could not be run.
func SpawnForerunner(ctx context.Context, local, remote bdaddr.Address) error {
	return opError(opForerun, spawnForerunner(ctx, local, remote), Addr{Address: local}, Addr{Address: remote})
}

// ForerunnerMain is the whole of a process that SpawnForerunner started, and does not return there. Elsewhere it does
// nothing. Call it before anything else in main.
func ForerunnerMain() { forerunnerMain() }
