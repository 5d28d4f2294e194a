package meter

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/bluez"
)

// Waiting asks BlueZ for nothing, and ends soon after something changed.
func TestHostWait(t *testing.T) {
	tests := []struct {
		name   string
		before func(*fakeHost) // between the look and the wait
		change func(*fakeHost) // after ten seconds
		noBus  bool
		took   time.Duration
	}{
		{name: "nothing happens", took: time.Minute},
		{name: "adapter off", change: func(h *fakeHost) { h.adapters[0].Powered = false }, took: 10*time.Second + settle},
		{name: "adapter gone", change: func(h *fakeHost) { h.adapters = nil }, took: 10*time.Second + settle},
		{name: "another adapter", change: func(h *fakeHost) {
			h.adapters = append(h.adapters, bluez.Adapter{ID: "hci1"})
		}, took: 10*time.Second + settle},
		{name: "service gone", change: func(h *fakeHost) { h.noBus = bluez.ErrNoDaemon }, took: 10*time.Second + settle},
		{name: "changed before it began", before: func(h *fakeHost) { h.adapters[0].Powered = false }, took: settle},
		{name: "what does not matter", change: func(h *fakeHost) { h.adapters[0].Discovering = true }, took: time.Minute},
		{name: "no bus", noBus: true, took: time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}}
				host := h.host()
				if tt.noBus {
					host.watch = func(context.Context) (watcher, error) { return nil, bluez.ErrNoBus }
				}
				seen := host.look(t.Context())
				if tt.before != nil {
					tt.before(h)
				}
				if tt.change != nil {
					time.AfterFunc(10*time.Second, func() { h.change(func() { tt.change(h) }) })
				}
				h.calls = 0
				start := time.Now()
				host.wait(t.Context(), time.Minute, seen)
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if h.calls > 1 || len(h.watchers) > 0 {
					t.Errorf("%d calls to BlueZ, %d watchers left", h.calls, len(h.watchers))
				}
				synctest.Wait()
			})
		})
	}
}
