package bluez

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// A fakeSystemd is org.freedesktop.systemd1 on a test's bus.
type fakeSystemd struct {
	asked   chan [2]string // unit and mode
	refusal *dbus.Error
	restart func()
}

// RestartUnit is the method of org.freedesktop.systemd1.Manager.
func (s *fakeSystemd) RestartUnit(unit, mode string) (dbus.ObjectPath, *dbus.Error) {
	s.asked <- [2]string{unit, mode}
	if s.refusal != nil {
		return "", s.refusal
	}
	if s.restart != nil {
		go s.restart()
	}
	return "/org/freedesktop/systemd1/job/1", nil
}

func startSystemd(t *testing.T, b *testBus, s *fakeSystemd) {
	t.Helper()
	s.asked = make(chan [2]string, 1)
	conn := b.connect(t)
	if err := conn.Export(s, systemdPath, systemdInterface); err != nil {
		t.Fatal(err)
	}
	if reply, err := conn.RequestName(systemdName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("RequestName: %v, %v", reply, err)
	}
}

func TestRestartService(t *testing.T) {
	refused := func(name string) *dbus.Error { return dbus.NewError(name, []any{"no"}) }
	tests := []struct {
		name    string
		systemd *fakeSystemd // nil: there is none
		running bool         // the daemon, before
		comes   bool         // the daemon is there afterwards
		limit   time.Duration
		want    error
	}{
		{name: "restarted", systemd: &fakeSystemd{}, running: true, comes: true},
		{name: "started", systemd: &fakeSystemd{}, comes: true},
		{name: "does not come back", systemd: &fakeSystemd{}, running: true, limit: 200 * time.Millisecond, want: ErrNoAnswer},
		{
			name: "polkit would ask", running: true, want: os.ErrPermission,
			systemd: &fakeSystemd{refusal: refused("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired")},
		},
		{
			name: "polkit refuses", running: true, want: os.ErrPermission,
			systemd: &fakeSystemd{refusal: refused("org.freedesktop.DBus.Error.AccessDenied")},
		},
		{name: "no systemd", running: true, want: ErrNoDaemon},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := startBus(t)
			var old *fakeBluez
			if tt.running {
				old = startFake(t, b)
			}
			restarted := make(chan struct{}) // closed when the fakes are as they will be
			if s := tt.systemd; s != nil {
				s.restart = func() {
					defer close(restarted)
					if old != nil {
						old.leave()
					}
					if tt.comes {
						startFake(t, b)
					}
				}
				startSystemd(t, b, s)
			}
			limit := tt.limit
			if limit == 0 {
				limit = restartTimeout
			}
			err := restartService(testContext(t), limit, func(opts ...dbus.ConnOption) (*dbus.Conn, error) {
				return dbus.Connect(b.address, opts...)
			})
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("unexpected error: %v, want %v", err, tt.want)
			}
			if tt.systemd != nil {
				if got := <-tt.systemd.asked; got != [2]string{"bluetooth.service", "replace"} {
					t.Errorf("systemd was asked for %v", got)
				}
				if tt.systemd.refusal == nil {
					<-restarted
				}
			}
			b.checkNotActivated(t)
		})
	}
}

func TestRestartServiceCancelled(t *testing.T) {
	b := startBus(t)
	startFake(t, b)
	startSystemd(t, b, &fakeSystemd{}) // whose daemon does not end
	ctx, cancel := context.WithCancel(testContext(t))
	time.AfterFunc(50*time.Millisecond, cancel)
	err := restartService(ctx, restartTimeout, func(opts ...dbus.ConnOption) (*dbus.Conn, error) {
		return dbus.Connect(b.address, opts...)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("unexpected error: %v", err)
	}
}
