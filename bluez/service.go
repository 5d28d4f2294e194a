package bluez

import (
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	systemdName      = "org.freedesktop.systemd1"
	systemdPath      = dbus.ObjectPath("/org/freedesktop/systemd1")
	systemdInterface = systemdName + ".Manager"

	// serviceUnit is what systemd calls the daemon.
	serviceUnit = "bluetooth.service"

	// restartTimeout bounds a restart, which waits for the daemon to end and
	// then to take its name on the bus.
	restartTimeout = 30 * time.Second

	opRestart = "restart"
)

// RestartService makes systemd restart the Bluetooth daemon, or start one that
// does not run, and waits until it is on the bus again. All Bluetooth links of
// this machine end with the old daemon (org.freedesktop.systemd1(5),
// RestartUnit).
//
// It waits 30 s at most (ErrNoAnswer). It asks nobody: where polkit does not
// let this user restart the service without a question, the error is an
// os.ErrPermission. Where there is no systemd it is an ErrNoDaemon.
func RestartService(ctx context.Context) error {
	return restartService(ctx, restartTimeout, dbus.ConnectSystemBus)
}

func restartService(ctx context.Context, limit time.Duration, connect func(...dbus.ConnOption) (*dbus.Conn, error)) error {
	c, err := dialBus(ctx, connect)
	if err != nil {
		return wrap(opRestart, serviceUnit, err)
	}
	// Nothing is lost when hanging up fails.
	defer c.Close()
	c.timeout = limit
	return wrap(opRestart, serviceUnit, c.restart(ctx))
}

// restart is RestartService on a connection to the bus.
func (c *Client) restart(caller context.Context) error {
	ctx, cancel := context.WithTimeout(caller, c.timeout)
	defer cancel()
	sub, err := c.subscribe(ctx)
	if err != nil {
		return err
	}
	defer sub.end(context.WithoutCancel(ctx))
	before, _, err := c.owner(ctx)
	if err != nil {
		return err
	}
	// The flags of c.do do not allow interactive authorization.
	if _, _, err := c.do(ctx, systemdName, systemdPath, systemdInterface+".RestartUnit", serviceUnit, "replace"); err != nil {
		return err
	}
	for {
		if now, _, err := c.owner(ctx); err != nil {
			return err
		} else if now != "" && now != before {
			return nil
		}
		if _, err := sub.next(ctx); err != nil {
			if caller.Err() == nil && ctx.Err() != nil {
				return fmt.Errorf("the service did not come back within %v: %w", c.timeout, ErrNoAnswer)
			}
			return err
		}
	}
}
