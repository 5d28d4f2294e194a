package meter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"powerspy2/bluez"
	"powerspy2/rfcomm"
)

// What a machine lacks for Bluetooth, besides what the packages below tell. All
// of them come with ErrNotReady.
var (
	// ErrNamespace means that Bluetooth is out of reach: the kernel offers it to
	// its first network namespace only (net/bluetooth/af_bluetooth.c,
	// bt_sock_create).
	ErrNamespace = errors.New("this process is in a network namespace of its own, as in a container, where the kernel offers no Bluetooth")
	// ErrContainer means that the bus that BlueZ would be on was not let in.
	ErrContainer = errors.New("this is a container without the system bus (D-Bus) of its host")
	// ErrNotInstalled means that there is no trace of the package bluez.
	ErrNotInstalled = errors.New("the Bluetooth service (BlueZ) is not installed")
	// ErrUnknownAdapter means that the kernel has an adapter that BlueZ has not taken.
	ErrUnknownAdapter = errors.New("the Bluetooth service does not know the adapter")
	// ErrAdapterGone is about the adapter that a meter was found through.
	ErrAdapterGone = errors.New("the adapter is not there any more")
)

// opBluetooth is what fails where a machine is not ready.
const opBluetooth = "use Bluetooth"

// bluetooth connects to BlueZ and lists the adapters, of which there is at least
// one. Where that fails, the error says what this machine lacks.
func (h host) bluetooth(ctx context.Context) (daemon, []bluez.Adapter, error) {
	d, err := h.bus(ctx)
	if err != nil {
		return nil, nil, h.lacks(ctx, err)
	}
	all, err := d.Adapters(ctx)
	if err == nil && len(all) > 0 {
		return d, all, nil
	}
	_ = d.Close() // nothing is lost when hanging up fails
	return nil, nil, h.lacks(ctx, err)
}

// lacks looks for the reason why BlueZ can't be reached, or has no adapter (err
// is nil), from the kernel up.
func (h host) lacks(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", opBluetooth, ctx.Err())
	}
	if kerr := h.checkKernel(); kerr != nil {
		return kerr
	}
	ids, aerr := h.checkAdapters()
	if aerr != nil {
		return aerr
	}
	if _, berr := h.checkSwitches(ids); berr != nil {
		return berr
	}
	if err != nil {
		return h.explainService(err)
	}
	return &Error{Kind: ErrNotReady, Op: opBluetooth, Err: fmt.Errorf("%w %s", ErrUnknownAdapter, strings.Join(ids, ", "))}
}

// checkKernel reports whether the kernel has Bluetooth and RFCOMM, and lets this
// process use them.
func (h host) checkKernel() error {
	err := h.radio.Alive()
	if errors.Is(err, syscall.EAFNOSUPPORT) && h.exists("sys/class/bluetooth") {
		return &Error{Kind: ErrNotReady, Op: opBluetooth, Err: &reason{ErrNamespace, err}}
	}
	if errors.Is(err, rfcomm.ErrKernelStuck) || errors.Is(err, rfcomm.ErrNotSupported) {
		return explain(opBluetooth, err)
	}
	return nil // what keeps a socket from being made is told by who needs one
}

// checkAdapters returns the adapters that the kernel has, such as hci0. One that
// is blocked may have vanished as if it had been unplugged.
func (h host) checkAdapters() ([]string, error) {
	ids := kernelAdapters(h.files)
	if len(ids) > 0 {
		return ids, nil
	}
	switches, err := fs.Glob(h.files, "sys/class/rfkill/rfkill*")
	if err != nil {
		switches = nil
	}
	for _, s := range switches {
		kind, err := fs.ReadFile(h.files, path.Join(s, "type"))
		if err != nil || strings.TrimSpace(string(kind)) != "bluetooth" {
			continue
		}
		if b := switchBlock(h.files, s); b != nil {
			return nil, blocked(cmp.Or(content(h.files, path.Join(s, "name")), path.Base(s)), b)
		}
	}
	return nil, &Error{Kind: ErrNotReady, Op: opBluetooth, Err: ErrNoAdapter}
}

// checkSwitches returns an adapter that is not blocked.
func (h host) checkSwitches(ids []string) (id string, err error) {
	for _, id := range ids {
		b := adapterBlock(h.files, id)
		if b == nil {
			return id, nil
		}
		err = blocked(id, b)
	}
	return "", err
}

// explainService says why BlueZ can't be reached.
func (h host) explainService(err error) error {
	var why error
	switch {
	case errors.Is(err, os.ErrPermission):
		return denied(opBluetooth, err)
	case errors.Is(err, bluez.ErrNoBus) && h.isContainer():
		why = ErrContainer
	case errors.Is(err, bluez.ErrNoBus):
		why = bluez.ErrNoBus
	case errors.Is(err, bluez.ErrNoDaemon) && !h.hasBlueZ():
		why = ErrNotInstalled
	default:
		return explain(opBluetooth, err)
	}
	return &Error{Kind: ErrNotReady, Op: opBluetooth, Err: &reason{why, err}}
}

// isContainer knows Docker, Podman, and what systemd starts or was told of
// (systemd's "Container Interface").
func (h host) isContainer() bool {
	return h.exists(".dockerenv") || h.exists("run/.containerenv") || h.exists("run/systemd/container")
}

// hasBlueZ looks where distributions install the daemon or its policy.
func (h host) hasBlueZ() bool {
	return slices.ContainsFunc([]string{
		"usr/libexec/bluetooth/bluetoothd", "usr/lib/bluetooth/bluetoothd", "usr/sbin/bluetoothd",
		"usr/share/dbus-1/system.d/bluetooth.conf", "etc/dbus-1/system.d/bluetooth.conf",
		"run/current-system/sw/share/dbus-1/system.d/bluetooth.conf", "snap/bluez",
	}, h.exists)
}

func (h host) exists(name string) bool {
	_, err := fs.Stat(h.files, name)
	return err == nil
}

// adapterOff says why an adapter is off.
func (h host) adapterOff(a bluez.Adapter) error {
	if b := adapterBlock(h.files, a.ID); b != nil {
		return blocked(a.ID, b)
	}
	return &Error{Kind: ErrNotReady, Op: opBluetooth, Err: fmt.Errorf("the adapter %s is %w", a.ID, ErrAdapterOff)}
}

// blocked is the error of an adapter whose radio switch is off: b is ErrBlocked
// or ErrHardBlocked.
func blocked(id string, b error) error {
	return &Error{Kind: ErrNotReady, Op: opBluetooth, Err: fmt.Errorf("the adapter %s is %w", id, b)}
}

// adapterBlock reads the radio switch of an adapter such as hci0: nil, ErrBlocked
// by software, which `rfkill unblock bluetooth` lifts, or ErrHardBlocked by a
// switch or key of the machine (Documentation/ABI/stable/sysfs-class-rfkill).
// Everybody may read it.
func adapterBlock(files fs.FS, id string) (block error) {
	switches, err := fs.Glob(files, path.Join("sys/class/bluetooth", id, "rfkill*"))
	if err != nil {
		return nil
	}
	for _, s := range switches {
		if b := switchBlock(files, s); b != nil && !errors.Is(block, ErrHardBlocked) {
			block = b
		}
	}
	return block
}

// switchBlock reads one switch.
func switchBlock(files fs.FS, s string) error {
	switch {
	case content(files, path.Join(s, "hard")) == "1":
		return ErrHardBlocked
	case content(files, path.Join(s, "soft")) == "1":
		return ErrBlocked
	}
	return nil
}

// content reads a file of one line; empty when it can't be read.
func content(files fs.FS, name string) string {
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// kernelAdapters returns the adapters that the kernel has.
func kernelAdapters(files fs.FS) []string {
	entries, err := fs.ReadDir(files, "sys/class/bluetooth")
	if err != nil {
		return nil // no Bluetooth in this kernel
	}
	var ids []string
	for _, e := range entries {
		// Links to remote devices stand beside the adapters as hci0:11.
		if strings.HasPrefix(e.Name(), "hci") && !strings.Contains(e.Name(), ":") {
			ids = append(ids, e.Name())
		}
	}
	slices.Sort(ids)
	return ids
}
