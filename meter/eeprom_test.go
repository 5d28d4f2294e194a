package meter

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestWriteEEPROM(t *testing.T) {
	tests := []struct {
		name, device string
		addr         uint8
		cancelled    bool
		want         error
	}{
		{name: "good", device: "sim:gen=2", addr: 0x40},
		{name: "some answers lost", device: "sim:lose=0.02,seed=3", addr: 0x40},
		{name: "refused", device: "sim:refuse=W", addr: 0x40, want: ErrNoAnswer},
		{name: "beyond", device: "sim:", addr: 0xFE, want: ErrUsage},
		{name: "interrupted", device: "sim:", addr: 0x40, cancelled: true, want: context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, err := Open(t.Context(), Config{Target: mustParse(t, tt.device)})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				old := make([]byte, 4)
				if tt.want != ErrUsage {
					if err := m.ReadEEPROM(t.Context(), tt.addr, old); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.cancelled {
					cancel()
				}
				p := []byte{1, 2, 3, 4}
				if err := m.WriteEEPROM(ctx, tt.addr, p, old); !errors.Is(err, tt.want) {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
				want := p
				switch tt.want {
				case ErrUsage:
					return
				case nil:
				default:
					want = old
				}
				got := make([]byte, 4)
				if err := m.ReadEEPROM(t.Context(), tt.addr, got); err != nil || !bytes.Equal(got, want) {
					t.Errorf("it holds % x (%v), want % x", got, err, want)
				}
			})
		})
	}
}

func TestTouchesCalibration(t *testing.T) {
	for _, tt := range []struct {
		addr uint8
		n    int
		want bool
	}{{0, 2, false}, {0, 3, true}, {0x19, 1, true}, {0x1A, 2, false}, {2, 0, false}} {
		if got := TouchesCalibration(tt.addr, tt.n); got != tt.want {
			t.Errorf("%#x, %d bytes: got %v", tt.addr, tt.n, got)
		}
	}
}
