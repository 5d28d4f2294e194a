package powerspy

import (
	"errors"
	"testing"
)

func TestReadEEPROM(t *testing.T) {
	c := play(t, script(synced,
		onWant("<V0E>", "<6C>\n\r"),
		// Real-time frames and an identity nobody waits for are no answers.
		onWant("<V0F>", "<"+goldenFrame+">\n\r<"+goldenIdentity+"><02>"),
		onWant("<V10>", "<007A1F<A7>"),
		onWant("<VFF>", "<3D>"),
	)...)
	var p [3]byte
	if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); err != nil || p != [3]byte{0x6C, 0x02, 0xA7} {
		t.Fatalf("unexpected bytes: % X, %v", p, err)
	}
	if err := c.ReadEEPROM(t.Context(), 0xFF, p[:1]); err != nil || p[0] != 0x3D {
		t.Fatalf("unexpected last byte: %#02x, %v", p[0], err)
	}
	// Nothing may be sent for these.
	if err := c.ReadEEPROM(t.Context(), 0xFF, p[:2]); !errors.Is(err, ErrOutOfRange) {
		t.Fatalf("unexpected error: %v, want %v", err, ErrOutOfRange)
	}
	if err := c.ReadEEPROM(t.Context(), 0, nil); err != nil {
		t.Fatalf("failed to read nothing: %v", err)
	}
}

func TestReadEEPROMNamesTheByte(t *testing.T) {
	tests := []struct {
		answer string
		want   error
	}{
		{"<Z>", ErrRefused},
		{"<K>", ErrNotUnderstood},
		{"<6>", ErrNotUnderstood},
		{"<6c>", ErrNotUnderstood},
		{"<6C0>", ErrNotUnderstood},
		{"<>", ErrNotUnderstood},
	}
	for _, tt := range tests {
		c := play(t, script(synced, onWant("<V0E>", "<6C>"), onWant("<V0F>", tt.answer))...)
		err := c.ReadEEPROM(t.Context(), 0x0E, make([]byte, 4))
		var e *Error
		if !errors.Is(err, tt.want) || !errors.As(err, &e) || e.Op != "read EEPROM 0x0f" {
			t.Errorf("%s: unexpected error: %v, want %v of EEPROM 0x0f", tt.answer, err, tt.want)
		}
	}
}
