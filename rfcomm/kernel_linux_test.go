package rfcomm

import (
	"errors"
	"io/fs"
	"maps"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

// text makes a file of a test's file system.
func text(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s), Mode: 0o444} }

// healthy is what an ordinary user sees on a machine whose RFCOMM works.
func healthy() fstest.MapFS {
	return fstest.MapFS{
		"sys/module/rfcomm/initstate": text("live\n"),
		"proc/1/stat":                 text("1 (systemd) S 0 1 1 0 -1\n"),
		"proc/2/stat":                 text("2 (kthreadd) S 0 0 0 0 -1\n"),
		"proc/417/stat":               text("417 (krfcommd) S 2 0 0 0 -1\n"),
		"proc/900/stat":               text("900 (a) b (c) R 1 900 900 0 -1\n"),
		"proc/uptime":                 text("1 1\n"),
	}
}

// A hidingFS refuses to open some files, as hidepid=1 does.
type hidingFS struct {
	fs.FS
	hidden map[string]error
}

func (h hidingFS) Open(name string) (fs.File, error) {
	if err := h.hidden[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return h.FS.Open(name)
}

func TestHostState(t *testing.T) {
	with := func(changes fstest.MapFS) fs.FS {
		files := healthy()
		maps.Copy(files, changes)
		for name, file := range changes {
			if file == nil {
				delete(files, name)
			}
		}
		return files
	}
	tests := []struct {
		name  string
		files fs.FS
		want  State
	}{
		{"running", healthy(), StateRunning},
		{"dead", with(fstest.MapFS{"proc/417/stat": nil}), StateStuck},
		{"dead and not yet gone", with(fstest.MapFS{"proc/417/stat": text("417 (krfcommd) Z 2 0 0 0 -1\n")}), StateStuck},
		{"a process that only has the name", with(fstest.MapFS{"proc/417/stat": text("417 (krfcommd) S 1 0 0 0 -1\n")}), StateStuck},
		{"not loaded", with(fstest.MapFS{"sys/module/rfcomm/initstate": nil, "proc/417/stat": nil}), StateNotLoaded},
		{"loading", with(fstest.MapFS{"sys/module/rfcomm/initstate": text("coming\n"), "proc/417/stat": nil}), StateUnknown},
		{"built into the kernel, running", with(fstest.MapFS{
			"sys/module/rfcomm/initstate": nil, "sys/module/rfcomm/parameters/l2cap_mtu": text("672\n")}), StateRunning},
		{"built into the kernel, dead", with(fstest.MapFS{"proc/417/stat": nil,
			"sys/module/rfcomm/initstate": nil, "sys/module/rfcomm/parameters/l2cap_mtu": text("672\n")}), StateStuck},
		{"kernel threads hidden (hidepid=2)", with(fstest.MapFS{"proc/2/stat": nil, "proc/417/stat": nil}), StateUnknown},
		{"a namespace with another process 2", with(fstest.MapFS{
			"proc/2/stat": text("2 (bash) S 1 2 2 0 -1\n"), "proc/417/stat": nil}), StateUnknown},
		{"kernel threads unreadable (hidepid=1)", hidingFS{healthy(), map[string]error{
			"proc/2/stat": fs.ErrPermission, "proc/417/stat": fs.ErrPermission}}, StateUnknown},
		{"one process unreadable", hidingFS{healthy(), map[string]error{"proc/417/stat": fs.ErrPermission}}, StateUnknown},
		{"a process ends meanwhile", hidingFS{with(fstest.MapFS{"proc/417/stat": nil}), map[string]error{
			"proc/900/stat": unix.ESRCH}}, StateStuck},
		{"a stat that makes no sense", with(fstest.MapFS{"proc/417/stat": text("417 krfcommd S 2\n")}), StateUnknown},
		{"a stat cut short", with(fstest.MapFS{"proc/417/stat": text("417 (krfcommd)")}), StateUnknown},
		{"modules hidden", hidingFS{healthy(), map[string]error{"sys/module/rfcomm": fs.ErrPermission}}, StateUnknown},
		{"no proc", with(fstest.MapFS{"proc/1/stat": nil, "proc/2/stat": nil, "proc/417/stat": nil,
			"proc/900/stat": nil, "proc/uptime": nil}), StateUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &host{files: tt.files}
			if got := h.state(); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			err := h.checkRunning()
			if stuck := errors.Is(err, ErrKernelStuck); stuck != (tt.want == StateStuck) || err != nil && !stuck {
				t.Errorf("checkRunning: %v", err)
			}
		})
	}
}

func TestHostKernelState(t *testing.T) {
	opened := -1
	h := &host{
		files: healthy(),
		open: func(p protocol, local bdaddr.Address, level Security) (int, error) {
			a, b := socketPair(t, unix.SOCK_STREAM)
			unix.Close(b)
			opened = a
			return a, nil
		},
	}
	if state, err := h.kernelState(); state != StateRunning || err != nil {
		t.Errorf("got %v, %v", state, err)
	}
	if _, err := unix.FcntlInt(uintptr(opened), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("socket left open: %v", err)
	}
	files := healthy()
	delete(files, "proc/417/stat")
	h.files = files
	if state, err := h.kernelState(); state != StateStuck || !errors.Is(err, ErrKernelStuck) {
		t.Errorf("got %v, %v", state, err)
	}
	h.open = func(protocol, bdaddr.Address, Security) (int, error) { return -1, unix.EAFNOSUPPORT }
	if state, err := h.kernelState(); state != StateUnknown || !errors.Is(err, unix.EAFNOSUPPORT) {
		t.Errorf("got %v, %v", state, err)
	}
}
