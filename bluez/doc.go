// Package bluez is a small typed client of BlueZ, the Bluetooth daemon of
// Linux, over D-Bus.
//
// It covers what a program needs to reach a Bluetooth Classic serial device:
// adapters, discovery, pairing (with a PIN, or without), trust, and the property changes of
// adapters and devices in the order in which they happened. For the other end
// of such a link it registers a serial port profile and a pairing agent.
//
// # Adapters and devices
//
// An adapter is named as BlueZ names it, for example "hci0"; a device by its
// adapter and its Bluetooth address. Adapter and Device are plain values: a
// snapshot of the properties at the time of the call. Watch says how they go
// on.
//
// # Waiting
//
// Every method that talks to BlueZ takes a context and is bounded by a time of
// its own as well, 10 s for a call unless its comment names another, so that a
// daemon that hangs shows as ErrNoAnswer. What waits for something to happen
// (Discover, Watcher.Next, Profile.Accept) is bounded by its context. No call
// ever makes the bus start the daemon: without one, calls fail at once with
// ErrNoDaemon.
//
// # Errors
//
// Every error is an *Error, which carries the daemon's own name and words and
// unwraps to one of this package's sentinels, to os.ErrPermission (the D-Bus
// policy of this machine does not let this user talk to BlueZ),
// os.ErrNotExist (no such adapter or device), os.ErrExist, os.ErrInvalid,
// errors.ErrUnsupported, or to the context's own error.
//
// # Sources
//
// The interfaces are described in BlueZ's doc directory, one page each
// (org.bluez.Adapter1, org.bluez.Device1, org.bluez.Agent1,
// org.bluez.AgentManager1, org.bluez.Profile1, org.bluez.ProfileManager1).
package bluez
