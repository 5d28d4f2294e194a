package meter

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"powerspy2/bluez"
	"powerspy2/powerspy/sim"
)

// TestRecover takes the same steps by hand.
func TestRecover(t *testing.T) {
	tests := []struct {
		name  string
		rc    RecoverConfig
		fault func(h *fakeHost, m *sim.Meter)
		want  error
		log   []string // what was reported, in part
		never string   // what must not be in the host's log
	}{
		{name: "well", log: []string{"measures; there is nothing to recover"}, never: "power"},
		{
			name: "dead", fault: func(_ *fakeHost, m *sim.Meter) { m.HangUntilPowerCycle() },
			want: ErrNoAnswer, log: []string{"step 1, drain", "step 2, reconnect", "step 3, relink", "step 4, rebond: skipped", "step 5, reset-adapter", "step 6, restart-service", "step 7, power-cycle: skipped"},
		},
		{
			name: "dead, dry run", rc: RecoverConfig{DryRun: true}, fault: func(_ *fakeHost, m *sim.Meter) { m.HangUntilPowerCycle() },
			want: ErrNoAnswer, log: []string{"step 5, reset-adapter: would be next"}, never: "power",
		},
		{
			name: "part of the steps", rc: RecoverConfig{From: Reconnect, To: Relink}, fault: func(_ *fakeHost, m *sim.Meter) { m.HangUntilPowerCycle() },
			want: ErrNoAnswer, log: []string{"step 2, reconnect"}, never: "power",
		},
		{
			name: "service dead, restart helps", fault: func(h *fakeHost, _ *sim.Meter) {
				h.adapters[0].Powered, h.noBus = false, bluez.ErrNoDaemon
				h.restart = func() error {
					h.noBus, h.adapters[0].Powered = nil, true
					return nil
				}
			},
			log: []string{"step 6, restart-service: it helped"},
		},
		{name: "adapter off", fault: func(h *fakeHost, _ *sim.Meter) { h.adapters[0].Powered = false }, want: ErrNotReady, log: []string{"somebody has switched the adapter off"}},
		{name: "wrong order", rc: RecoverConfig{From: Relink, To: Drain}, want: ErrUsage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				device := paired()
				device.sim = sim.New(sim.DefaultConfig())
				h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: []*fakeDevice{device}}
				if tt.fault != nil {
					tt.fault(h, device.sim)
				}
				var report strings.Builder
				cfg := Config{Remembered: []Target{{Kind: Bluetooth, Address: testMeter, Adapter: testAdapter.Address, Channel: 1}}}
				err := recoverMeter(t.Context(), cfg, tt.rc, func(s Status) { fmt.Fprintln(&report, s.Text) }, h.host())
				if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
					t.Errorf("unexpected error: %v", err)
				}
				rest := report.String()
				for _, want := range tt.log {
					_, after, found := strings.Cut(rest, want)
					if !found {
						t.Fatalf("the report does not say %q next:\n%s", want, report.String())
					}
					rest = after
				}
				if log := strings.Join(h.log, "\n"); tt.never != "" && strings.Contains(log, tt.never) {
					t.Errorf("it did more than it should:\n%s", log)
				}
				if device.sim.Measuring() {
					t.Error("the meter was left measuring")
				}
			})
		})
	}
}
