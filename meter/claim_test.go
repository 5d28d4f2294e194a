package meter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"powerspy2/bluez"
	"powerspy2/rfcomm"
)

// A ledger is a Config.Claim that keeps record in the log of a fakeHost.
func ledger(h *fakeHost, held, release error) func(Target) (func() error, error) {
	return func(t Target) (func() error, error) {
		h.note("claim %s", t.Device())
		if held != nil {
			return nil, held
		}
		return func() error { h.note("release"); return release }, nil
	}
}

func TestClaimBluetooth(t *testing.T) {
	held := errors.New("it is in use by pid 123")
	mute, refusing := paired(), paired()
	mute.meterConfig, refusing.dialErr = "mute=?", rfcomm.ErrOccupied
	tests := []struct {
		name string
		air  *fakeDevice
		held error
		err  string
		log  []string
	}{
		{"free", paired(), nil, "", []string{"claim 00:0B:CE:07:1D:32", "dial 1", "release"}},
		{"paired first", newDevice(), nil, "", []string{"discover hci0", "pair with 1234", "claim 00:0B:CE:07:1D:32", "dial 1", "release"}},
		{"held", paired(), held, "connect to PowerSpy 4567 (00:0B:CE:07:1D:32): it is in use by pid 123", []string{"claim 00:0B:CE:07:1D:32"}},
		{"two attempts, one claim", mute, nil, "silent", []string{"claim 00:0B:CE:07:1D:32", "dial 1", "dial 1", "release"}},
		{"no link", refusing, nil, "another computer", []string{"claim 00:0B:CE:07:1D:32", "dial 1", "release"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: []*fakeDevice{tt.air}}
				m, err := open(t.Context(), Config{Claim: ledger(h, tt.held, nil)}, h.host())
				switch {
				case tt.err == "" && err != nil:
					t.Fatal(err)
				case tt.err != "" && (!errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), tt.err)):
					t.Errorf("got %v, want %q, which matches ErrNoAnswer", err, tt.err)
				case tt.held != nil && !errors.Is(err, tt.held):
					t.Errorf("%v does not match what Claim said", err)
				}
				if err == nil {
					closeMeter(t, m)
				}
				if diff := cmp.Diff(tt.log, h.log); diff != "" {
					t.Errorf("unexpected calls (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestClaimOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHost{t: t}
		broken := errors.New("no space left")
		cfg := Config{Target: Target{Kind: Simulated}, Claim: ledger(h, nil, broken)}
		m, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); !errors.Is(err, broken) {
			t.Errorf("close: got %v, want the failure to give back", err)
		}
		cfg.Claim = func(Target) (func() error, error) { return nil, nil }
		if m, err = Open(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		closeMeter(t, m)
		if diff := cmp.Diff([]string{"claim sim:", "release"}, h.log); diff != "" {
			t.Errorf("unexpected calls (-want +got):\n%s", diff)
		}
	})
}

func TestDoctorClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHost{t: t}
		for _, held := range []error{nil, errors.New("it is in use by pid 123")} {
			cfg := Config{Target: Target{Kind: Simulated}, Claim: ledger(h, held, nil)}
			var failed []Check
			err := Diagnose(t.Context(), cfg, func(c Check) {
				if !c.OK && !c.Skipped {
					failed = append(failed, c)
				}
			})
			if !errors.Is(err, held) {
				t.Errorf("got %v, want %v", err, held)
			}
			want := []Check(nil)
			if held != nil {
				want = []Check{{Name: "connection", Detail: held.Error(), Err: held}}
			}
			if diff := cmp.Diff(want, failed, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("unexpected checks (-want +got):\n%s", diff)
			}
		}
		if diff := cmp.Diff([]string{"claim sim:", "release", "claim sim:"}, h.log); diff != "" {
			t.Errorf("unexpected calls (-want +got):\n%s", diff)
		}
	})
}

// The kernel says that the channel is taken, and /proc by whom.
func TestBusyNamesHolders(t *testing.T) {
	some := []rfcomm.Holder{{UID: 0, PID: 123, Name: "rfcomm"}, {UID: 1000}}
	tests := []struct {
		holders []rfcomm.Holder
		denied  error
		want    []rfcomm.Holder
	}{
		{some, nil, some},
		{nil, nil, nil},
		{some, os.ErrPermission, nil},
	}
	for _, tt := range tests {
		h := &fakeHost{t: t, holders: tt.holders, denied: tt.denied}
		err := explainConnect("connect to X", fmt.Errorf("dial: %w", rfcomm.ErrBusy), h)
		var busy *BusyError
		if !errors.Is(err, ErrNoAnswer) || !errors.Is(err, rfcomm.ErrBusy) || !errors.As(err, &busy) {
			t.Errorf("got %v", err)
		} else if diff := cmp.Diff(tt.want, busy.Holders); diff != "" {
			t.Errorf("unexpected holders (-want +got):\n%s", diff)
		}
	}
	h := &fakeHost{t: t, holders: tests[0].holders}
	for _, err := range []error{nil, context.Canceled, rfcomm.ErrAbsent} {
		got := explainConnect("connect to X", err, h)
		var busy *BusyError
		if !errors.Is(got, err) || errors.As(got, &busy) {
			t.Errorf("%v became %v", err, got)
		}
	}
}

// One claim lasts through all connections of a supervised stream and of a
// recovery by hand.
func TestClaimLasts(t *testing.T) {
	held := errors.New("it is in use by pid 123")
	dead := paired()
	dead.meterConfig = "mute=?"
	use := map[string]func(t *testing.T, h *fakeHost, cfg Config) error{
		"supervised": func(t *testing.T, h *fakeHost, cfg Config) error {
			s, err := supervise(t.Context(), cfg, StreamConfig{}, Recovery{}, h.host())
			if err != nil {
				return err
			}
			return errors.Join(s.Stop(t.Context()), s.Close())
		},
		"recovered": func(t *testing.T, h *fakeHost, cfg Config) error {
			return recoverMeter(t.Context(), cfg, RecoverConfig{}, func(Status) {}, h.host())
		},
	}
	for name, run := range use {
		for _, held := range []error{nil, held} {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: []*fakeDevice{paired()}}
				if err := run(t, h, Config{Claim: ledger(h, held, nil)}); !errors.Is(err, held) {
					t.Errorf("%s: got %v, want %v", name, err, held)
				}
				want := []string{"claim 00:0B:CE:07:1D:32", "dial 1", "release"}
				if held != nil {
					want = want[:1]
				}
				if diff := cmp.Diff(want, h.log); diff != "" {
					t.Errorf("%s: unexpected calls (-want +got):\n%s", name, diff)
				}
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: []*fakeDevice{dead}}
		err := recoverMeter(t.Context(), Config{Claim: ledger(h, nil, nil)}, RecoverConfig{To: Reconnect}, func(Status) {}, h.host())
		if !errors.Is(err, ErrNoAnswer) {
			t.Errorf("got %v, want ErrNoAnswer", err)
		}
		log := strings.Join(h.log, ", ")
		if strings.Count(log, "claim") != 1 || strings.Count(log, "dial 1") < 2 || !strings.HasSuffix(log, ", release") {
			t.Errorf("calls: %s", log)
		}
	})
}
