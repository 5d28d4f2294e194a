package meter

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bluez"
	"powerspy2/powerspy"
	"powerspy2/rfcomm"
)

func TestDiagnose(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s + "\n")} }
	sys := func(soft, hard string) fstest.MapFS {
		return fstest.MapFS{
			"class/bluetooth/hci0/rfkill3/soft": file(soft),
			"class/bluetooth/hci0/rfkill3/hard": file(hard),
		}
	}
	off := testAdapter
	off.Powered = false
	on := []bluez.Adapter{testAdapter}
	untrusted := paired()
	untrusted.Trusted = false
	away := paired()
	away.away = true
	forgot := paired()
	forgot.forgot = true
	mute := paired()
	mute.meterConfig = "mute=?"
	tests := []struct {
		name   string
		sys    fs.FS
		host   *fakeHost
		dial   error
		kernel error
		fails  string // name of the check that fails
		err    error
		cause  error
	}{
		{name: "well", sys: sys("0", "0"), host: &fakeHost{adapters: on, air: []*fakeDevice{paired()}}},
		{name: "no kernel support", sys: fstest.MapFS{}, kernel: rfcomm.ErrNotSupported, fails: "kernel", err: ErrNotReady, cause: rfcomm.ErrNotSupported},
		{name: "dead kernel", sys: fstest.MapFS{}, kernel: rfcomm.ErrKernelStuck, fails: "kernel", err: ErrNotReady, cause: rfcomm.ErrKernelStuck},
		{name: "no adapter", sys: fstest.MapFS{}, fails: "adapter", err: ErrNotReady, cause: ErrNoAdapter},
		{name: "soft block", sys: sys("1", "0"), fails: "rfkill", err: ErrNotReady, cause: ErrBlocked},
		{name: "hard block", sys: sys("0", "1"), fails: "rfkill", err: ErrNotReady, cause: ErrHardBlocked},
		{name: "no service", sys: sys("0", "0"), dial: explainBlueZ("x", bluez.ErrNoDaemon), fails: "service", err: ErrNotReady, cause: bluez.ErrNoDaemon},
		{name: "policy", sys: sys("0", "0"), dial: explainBlueZ("x", fs.ErrPermission), fails: "rights", err: ErrNotReady, cause: ErrPolicy},
		{name: "policy at the first call", sys: sys("0", "0"), host: &fakeHost{denied: fs.ErrPermission}, fails: "rights", err: ErrNotReady, cause: ErrPolicy},
		{name: "off", sys: sys("0", "0"), host: &fakeHost{adapters: []bluez.Adapter{off}}, fails: "power", err: ErrNotReady, cause: ErrAdapterOff},
		{name: "never paired", sys: sys("0", "0"), host: &fakeHost{adapters: on}, fails: "pairing", err: ErrNotFound, cause: ErrNotPaired},
		{name: "untrusted", sys: sys("0", "0"), host: &fakeHost{adapters: on, air: []*fakeDevice{untrusted}}, fails: "pairing", err: ErrNotReady, cause: ErrNotReady},
		{name: "away", sys: sys("0", "0"), host: &fakeHost{adapters: on, air: []*fakeDevice{away}}, fails: "reach", err: ErrNotFound, cause: rfcomm.ErrAbsent},
		{name: "key forgotten", sys: sys("0", "0"), host: &fakeHost{adapters: on, air: []*fakeDevice{forgot}}, fails: "connection", err: ErrPairing, cause: rfcomm.ErrKeyRefused},
		{name: "silent", sys: sys("0", "0"), host: &fakeHost{adapters: on, air: []*fakeDevice{mute}}, fails: "identity", err: ErrNoAnswer, cause: powerspy.ErrNoAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := tt.host
				if h == nil {
					h = &fakeHost{}
				}
				h.t = t
				p := &patient{
					cfg: &Config{}, sys: tt.sys, host: h.host(),
					kernel: func() error { return tt.kernel },
				}
				if tt.dial != nil {
					p.host.bus = func(context.Context) (daemon, error) { return nil, tt.dial }
				}
				var names []string
				var failed []Check
				err := p.diagnose(t.Context(), func(c Check) {
					names = append(names, c.Name)
					if !c.OK && !c.Skipped {
						failed = append(failed, c)
					}
					if c.OK && c.Detail == "" {
						t.Errorf("%s: ok, but says nothing", c.Name)
					}
				})
				var want []string
				for _, check := range steps {
					want = append(want, check.name)
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
