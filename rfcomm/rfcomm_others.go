//go:build !linux

package rfcomm

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"powerspy2/bdaddr"
)

// errOther is what everything answers here.
var errOther = fmt.Errorf("%w: not implemented on %s", ErrNotSupported, runtime.GOOS)

func classify(err error) error { return err }

func dial(context.Context, Addr, *Config, Security) (*stream, Addr, error) {
	return nil, Addr{}, errOther
}

func fileStream(*os.File) (*stream, Addr, Addr, error) { return nil, Addr{}, Addr{}, errOther }

func present(context.Context, bdaddr.Address, bdaddr.Address) (string, error) { return "", errOther }

func findChannel(context.Context, bdaddr.Address, uint16, *Config) (uint8, error) {
	return 0, errOther
}

func spawnForerunner(context.Context, bdaddr.Address, bdaddr.Address) error { return errOther }

func forerunnerMain() {}

func kernelState() (State, error) { return StateUnknown, errOther }

func holders() ([]Holder, error) { return nil, errOther }

func listen(Addr, Security) (*listener, Addr, error) { return nil, Addr{}, errOther }

// A stream cannot be made here; its methods complete the type.
type stream struct{}

func (*stream) read([]byte) (int, error)         { return 0, errOther }
func (*stream) write([]byte) (int, error)        { return 0, errOther }
func (*stream) close() error                     { return errOther }
func (*stream) setReadDeadline(time.Time) error  { return errOther }
func (*stream) setWriteDeadline(time.Time) error { return errOther }

// A listener cannot be made here; its methods complete the type.
type listener struct{}

func (*listener) accept() (*stream, Addr, Addr, error) { return nil, Addr{}, Addr{}, errOther }
func (*listener) close() error                         { return errOther }
func (*listener) setDeadline(time.Time) error          { return errOther }
