package meter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"powerspy2/powerspy"
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

// A meter that refuses to write has changed nothing, so that nothing is said
// to have failed twice.
func TestWriteEEPROMRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := Open(t.Context(), Config{Target: mustParse(t, "sim:refuse=W")})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		old := make([]byte, 2)
		if err := m.ReadEEPROM(t.Context(), 0x40, old); err != nil {
			t.Fatal(err)
		}
		err = m.WriteEEPROM(t.Context(), 0x40, []byte{1, 2}, old)
		if err == nil || !errors.Is(err, powerspy.ErrRefused) || strings.Contains(err.Error(), "failed") || !strings.Contains(err.Error(), "the old bytes were restored") {
			t.Errorf("got %v", err)
		}
	})
}

// forgetful is a link to a meter that takes other bytes than it is given.
type forgetful struct {
	powerspy.Link
	changes *strings.Replacer
}

func (f forgetful) Write(p []byte) (int, error) {
	return io.WriteString(f.Link, f.changes.Replace(string(p)))
}

func TestWriteEEPROMReadsBackAnother(t *testing.T) {
	for _, tt := range []struct {
		name    string
		changes []string
		says    string
		left    []byte
	}{
		{"one byte", []string{"<W4102>", "<W4103>"}, "the old bytes were restored", []byte{0xFF, 0xFF, 0xFF}},
		{"the old one, too", []string{"<W4102>", "<W4103>", "<W40FF>", "<W4000>"}, "restoring the old bytes failed as well", []byte{0x00, 0xFF, 0xFF}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, err := openLink(t.Context(), mustParse(t, "sim:"))
				if err != nil {
					t.Fatal(err)
				}
				m, err := OpenLink(t.Context(), forgetful{l, strings.NewReplacer(tt.changes...)})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				err = m.WriteEEPROM(t.Context(), 0x40, []byte{1, 2, 3}, []byte{0xFF, 0xFF, 0xFF})
				if !errors.Is(err, ErrVerify) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v", err)
				}
				got := make([]byte, 3)
				if err := m.ReadEEPROM(t.Context(), 0x40, got); err != nil || !bytes.Equal(got, tt.left) {
					t.Errorf("it holds % x (%v), want % x", got, err, tt.left)
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
