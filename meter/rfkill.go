package meter

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"powerspy2/bluez"
)

// sysfs is where the kernel tells of adapters and radio switches.
func sysfs() fs.FS { return os.DirFS("/sys") }

// A block is the state of an adapter's radio switch (rfkill).
type block uint8

const (
	unblocked   block = iota
	softBlocked       // by software: `rfkill unblock bluetooth` lifts it
	hardBlocked       // by a switch or key of the machine
)

// adapterBlock reads the radio switch of an adapter such as hci0
// (Documentation/ABI/stable/sysfs-class-rfkill). Everybody may read it.
func adapterBlock(sys fs.FS, id string) block {
	switches, err := fs.Glob(sys, path.Join("class/bluetooth", id, "rfkill*"))
	if err != nil {
		return unblocked
	}
	b := unblocked
	for _, s := range switches {
		if isOne(sys, path.Join(s, "hard")) {
			return hardBlocked
		}
		if isOne(sys, path.Join(s, "soft")) {
			b = softBlocked
		}
	}
	return b
}

func isOne(sys fs.FS, name string) bool {
	v, err := fs.ReadFile(sys, name)
	return err == nil && strings.TrimSpace(string(v)) == "1"
}

// kernelAdapters returns the adapters that the kernel has, such as hci0.
func kernelAdapters(sys fs.FS) []string {
	entries, err := fs.ReadDir(sys, "class/bluetooth")
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

// blockedError says how an adapter is blocked.
func blockedError(op, id string, b block) *Error {
	why := ErrBlocked
	if b == hardBlocked {
		why = ErrHardBlocked
	}
	return &Error{Kind: ErrNotReady, Op: op, Err: fmt.Errorf("the adapter %s is %w", id, why)}
}

// adapterOff says why an adapter is off.
func adapterOff(a bluez.Adapter) error {
	const op = "use Bluetooth"
	if b := adapterBlock(sysfs(), a.ID); b != unblocked {
		return blockedError(op, a.ID, b)
	}
	return &Error{Kind: ErrNotReady, Op: op, Err: fmt.Errorf("the adapter %s is %w", a.ID, ErrAdapterOff)}
}
