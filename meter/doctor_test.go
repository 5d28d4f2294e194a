package meter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bluez"
	"powerspy2/powerspy"
	"powerspy2/rfcomm"
)

// files makes what a machine shows of itself: the adapter hci0 with its radio
// switch, BlueZ, and what else there is.
func files(soft, hard string, more ...string) fstest.MapFS {
	files := fstest.MapFS{"usr/libexec/bluetooth/bluetoothd": &fstest.MapFile{}}
	addSwitch(files, "sys/class/bluetooth/hci0/rfkill3", soft, hard)
	for _, name := range more {
		files[name] = &fstest.MapFile{}
	}
	return files
}

// without takes a file out.
func without(files fstest.MapFS, name string) fstest.MapFS {
	delete(files, name)
	return files
}

// TestDiagnose has everything that can be wrong, from the kernel up. Of a machine
// that is not ready, measuring and scanning say the same.
func TestDiagnose(t *testing.T) {
	off := testAdapter
	off.Powered = false
	on := []bluez.Adapter{testAdapter}
	with := func(change func(*fakeDevice)) []*fakeDevice {
		d := paired()
		change(d)
		return []*fakeDevice{d}
	}
	unsupported := func(errno syscall.Errno) error { return fmt.Errorf("%w: %w", rfcomm.ErrNotSupported, errno) }
	vanished := fstest.MapFS{"sys/class/bluetooth": &fstest.MapFile{Mode: fs.ModeDir}}
	addSwitch(vanished, "sys/class/rfkill/rfkill0", "1", "0")
	wifi := fstest.MapFS{"sys/class/rfkill/rfkill1/type": {Data: []byte("wlan\n")}, "sys/class/rfkill/rfkill1/soft": {Data: []byte("1\n")}}
	const daemonFile = "usr/libexec/bluetooth/bluetoothd"
	tests := []struct {
		name  string
		host  *fakeHost
		fails string // name of the check that fails
		err   error
		cause error
	}{
		{name: "well", host: &fakeHost{adapters: on, air: []*fakeDevice{paired()}}},

		{name: "no kernel support", host: &fakeHost{files: fstest.MapFS{}, kernel: unsupported(syscall.EAFNOSUPPORT)}, fails: "kernel", err: ErrNotReady, cause: rfcomm.ErrNotSupported},
		{name: "no RFCOMM", host: &fakeHost{files: files("0", "0"), kernel: unsupported(syscall.EPROTONOSUPPORT)}, fails: "kernel", err: ErrNotReady, cause: rfcomm.ErrNotSupported},
		{name: "network namespace", host: &fakeHost{files: files("0", "0"), kernel: unsupported(syscall.EAFNOSUPPORT), noBus: bluez.ErrNoBus}, fails: "kernel", err: ErrNotReady, cause: ErrNamespace},
		{name: "dead kernel", host: &fakeHost{files: fstest.MapFS{}, stuck: true}, fails: "kernel", err: ErrNotReady, cause: rfcomm.ErrKernelStuck},
		{name: "no adapter", host: &fakeHost{files: fstest.MapFS{}}, fails: "adapter", err: ErrNotReady, cause: ErrNoAdapter},
		{name: "no adapter, and wireless LAN is blocked", host: &fakeHost{files: wifi}, fails: "adapter", err: ErrNotReady, cause: ErrNoAdapter},
		{name: "no adapter, no service", host: &fakeHost{files: fstest.MapFS{}, noBus: bluez.ErrNoDaemon}, fails: "adapter", err: ErrNotReady, cause: ErrNoAdapter},
		{name: "blocked, and vanished", host: &fakeHost{files: vanished}, fails: "adapter", err: ErrNotReady, cause: ErrBlocked},
		{name: "soft block", host: &fakeHost{files: files("1", "0"), adapters: []bluez.Adapter{off}}, fails: "rfkill", err: ErrNotReady, cause: ErrBlocked},
		{name: "hard block", host: &fakeHost{files: files("0", "1"), adapters: []bluez.Adapter{off}}, fails: "rfkill", err: ErrNotReady, cause: ErrHardBlocked},
		{name: "soft and hard block", host: &fakeHost{files: files("1", "1"), adapters: []bluez.Adapter{off}}, fails: "rfkill", err: ErrNotReady, cause: ErrHardBlocked},
		{name: "no service", host: &fakeHost{files: files("0", "0"), noBus: bluez.ErrNoDaemon}, fails: "service", err: ErrNotReady, cause: bluez.ErrNoDaemon},
		{name: "not installed", host: &fakeHost{files: without(files("0", "0"), daemonFile), noBus: bluez.ErrNoDaemon}, fails: "service", err: ErrNotReady, cause: ErrNotInstalled},
		{name: "no bus", host: &fakeHost{files: files("0", "0"), noBus: bluez.ErrNoBus}, fails: "service", err: ErrNotReady, cause: bluez.ErrNoBus},
		{name: "container without the bus", host: &fakeHost{files: files("0", "0", ".dockerenv"), noBus: bluez.ErrNoBus}, fails: "service", err: ErrNotReady, cause: ErrContainer},
		{name: "service does not answer", host: &fakeHost{files: files("0", "0"), denied: bluez.ErrNoAnswer}, fails: "rights", err: ErrNotReady, cause: bluez.ErrNoAnswer},
		{name: "policy", host: &fakeHost{files: files("0", "0"), noBus: fs.ErrPermission}, fails: "rights", err: ErrNotReady, cause: ErrPolicy},
		{name: "policy at the first call", host: &fakeHost{files: files("0", "0"), denied: fs.ErrPermission}, fails: "rights", err: ErrNotReady, cause: ErrPolicy},
		{name: "not known to BlueZ", host: &fakeHost{files: files("0", "0")}, fails: "power", err: ErrNotReady, cause: ErrUnknownAdapter},
		{name: "off", host: &fakeHost{adapters: []bluez.Adapter{off}}, fails: "power", err: ErrNotReady, cause: ErrAdapterOff},

		{name: "never paired", host: &fakeHost{adapters: on}, fails: "pairing", err: ErrNotFound, cause: ErrNotPaired},
		{name: "untrusted", host: &fakeHost{adapters: on, air: with(func(d *fakeDevice) { d.Trusted = false })}, fails: "pairing", err: ErrNotReady, cause: ErrNotReady},
		{name: "away", host: &fakeHost{adapters: on, air: with(func(d *fakeDevice) { d.away = true })}, fails: "reach", err: ErrNotFound, cause: rfcomm.ErrAbsent},
		{name: "key forgotten", host: &fakeHost{adapters: on, air: with(func(d *fakeDevice) { d.forgot = true })}, fails: "connection", err: ErrPairing, cause: rfcomm.ErrKeyRefused},
		{name: "silent", host: &fakeHost{adapters: on, air: with(func(d *fakeDevice) { d.meterConfig = "mute=?" })}, fails: "identity", err: ErrNoAnswer, cause: powerspy.ErrNoAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := tt.host
				h.t = t
				var names []string
				var failed []Check
				err := diagnose(t.Context(), Config{}, func(c Check) {
					names = append(names, c.Name)
					if !c.OK && !c.Skipped {
						failed = append(failed, c)
					}
					if c.OK && c.Detail == "" {
						t.Errorf("%s: ok, but says nothing", c.Name)
					}
				}, h.host())
				var want []string
				for _, c := range checks {
					want = append(want, c.name)
				}
				if diff := cmp.Diff(want, names); diff != "" {
					t.Errorf("unexpected checks (-want +got):\n%s", diff)
				}
				if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
					t.Fatalf("unexpected error: %v, want %v", err, tt.err)
				}
				if tt.fails == "" {
					if len(failed) > 0 {
						t.Errorf("failed: %+v", failed)
					}
					return
				}
				if len(failed) != 1 || failed[0].Name != tt.fails || !errors.Is(failed[0].Err, tt.cause) || failed[0].Detail == "" {
					t.Errorf("failed: %+v, want %s for %v", failed, tt.fails, tt.cause)
				}
				if !errors.Is(err, ErrNotReady) || tt.fails == "pairing" {
					return
				}
				_, oerr := open(t.Context(), Config{}, h.host())
				serr := scan(t.Context(), Config{}, func(Candidate) {}, h.host())
				for name, got := range map[string]error{"measuring": oerr, "scanning": serr} {
					if got == nil || got.Error() != err.Error() || !errors.Is(got, tt.cause) || !errors.Is(got, ErrNotReady) {
						t.Errorf("%s says\n%v, where the diagnosis says\n%v", name, got, err)
					}
				}
			})
		})
	}
}

// TestDiagnosePlain needs no Bluetooth for a meter that has none.
func TestDiagnosePlain(t *testing.T) {
	skipped := 0
	err := Diagnose(t.Context(), Config{Target: Target{Kind: Simulated}}, func(c Check) {
		if c.Skipped {
			skipped++
		} else if !c.OK {
			t.Errorf("failed: %+v", c)
		}
	})
	if err != nil || skipped != 8 {
		t.Errorf("%d checks skipped, want 8; error %v", skipped, err)
	}
}

// A diagnosis that is interrupted says so, and nothing of a machine.
func TestDiagnoseInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := &fakeHost{t: t}
	if _, err := open(ctx, Config{}, h.host()); !errors.Is(err, context.Canceled) || errors.Is(err, ErrNotReady) {
		t.Errorf("got %v", err)
	}
}
