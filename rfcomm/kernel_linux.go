package rfcomm

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

// A host is the machine as this package needs it: what the kernel shows of itself in files, and the system calls that want
// AF_BLUETOOTH. Tests put their own in the place of a kernel that has none.
type host struct {
	// files is the root of the file system; proc and sys are read.
	files fs.FS
	// version is the kernel's release and version, as `uname -rv` prints them.
	version func() string
	// open makes a bound, non-blocking socket: openSocket.
	open func(p protocol, local bdaddr.Address, level Security) (fd int, err error)
	// connect is connect(2).
	connect func(fd int, sa unix.Sockaddr) error
	// adapters lists the adapters in the order in which the kernel chooses among them.
	adapters func() ([]adapter, error)
	// linkUp reports whether an adapter has an established ACL link to a device.
	linkUp func(a adapter, remote bdaddr.Address) (bool, error)
	// openHCI makes a non-blocking raw HCI socket of an adapter that receives what remoteName reads.
	openHCI func(a adapter) (fd int, err error)
}

// system is the real thing.
var system = &host{
	files:    os.DirFS("/"),
	version:  kernelVersion,
	open:     openSocket,
	connect:  unix.Connect,
	adapters: adapters,
	linkUp:   linkUp,
	openHCI:  openHCI,
}

func kernelState() (State, error) { return system.kernelState() }

func (h *host) kernelState() (State, error) {
	fd, err := h.open(protocolRFCOMM, bdaddr.Address{}, SecurityMedium)
	if err != nil {
		return StateUnknown, err
	}
	closeFD(fd)
	state := h.state()
	if state == StateStuck {
		return state, ErrKernelStuck
	}
	return state, nil
}

// checkRunning fails when RFCOMM is known to be dead.
func (h *host) checkRunning() error {
	if h.state() == StateStuck {
		return ErrKernelStuck
	}
	return nil
}

// state looks for krfcommd, the kernel thread that RFCOMM works in (net/bluetooth/rfcomm/core.c, rfcomm_init starts it
// before the module is live). It concludes that the thread is dead only from a list of processes that it can see all of.
func (h *host) state() State {
	const module = "sys/module/rfcomm"
	if _, err := fs.Stat(h.files, module); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return StateNotLoaded
		}
		return StateUnknown
	}
	// A module built into the kernel has no initstate.
	if text, err := fs.ReadFile(h.files, module+"/initstate"); err == nil && strings.TrimSpace(string(text)) != "live" {
		return StateUnknown
	}
	// NB: process 2 is the parent of all kernel threads, but only seen from the first PID namespace and without hidepid.
	if name, _, err := h.process("2"); err != nil || name != "kthreadd" {
		return StateUnknown
	}
	entries, err := fs.ReadDir(h.files, "proc")
	if err != nil {
		return StateUnknown
	}
	complete := true
	for _, entry := range entries {
		pid := entry.Name()
		if _, err := strconv.ParseUint(pid, 10, 32); err != nil {
			continue
		}
		name, parent, err := h.process(pid)
		switch {
		case err == nil:
			if name == "krfcommd" && parent == "2" {
				return StateRunning
			}
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH):
			// It ended meanwhile.
		default:
			complete = false
		}
	}
	if !complete {
		return StateUnknown
	}
	return StateStuck
}

// process reads the name and the parent of a process from proc/PID/stat (proc_pid_stat(5): "PID (name) state parent ...",
// where the name may hold anything). A process that is dead but not yet gone counts as gone.
func (h *host) process(pid string) (name, parent string, err error) {
	stat, err := fs.ReadFile(h.files, "proc/"+pid+"/stat")
	if err != nil {
		return "", "", err
	}
	begin, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if begin < 0 || end < begin {
		return "", "", fs.ErrInvalid
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 2 {
		return "", "", fs.ErrInvalid
	}
	switch fields[0] {
	case "X", "x", "Z":
		return "", "", fs.ErrNotExist
	}
	return string(stat[begin+1 : end]), fields[1], nil
}
