package powerspy

import (
	"errors"
	"testing"
)

func TestReadEEPROM(t *testing.T) {
	c := play(t, script(synced,
		twice("<V0E>", "<6C>\n\r"),
		// Real-time frames and an identity nobody waits for are no answers.
		onWant("<V0F>", "<"+goldenFrame+">\n\r<"+goldenIdentity+"><02>"),
		onWant("<V0F>", "<02>"),
		twice("<V10>", "<007A1F<A7>"),
		twice("<VFF>", "<3D>"),
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
		c := play(t, script(synced, readsByte, onWant("<V0F>", tt.answer))...)
		err := c.ReadEEPROM(t.Context(), 0x0E, make([]byte, 4))
		var e *Error
		if !errors.Is(err, tt.want) || !errors.As(err, &e) || e.Op != "read EEPROM 0x0f" {
			t.Errorf("%s: unexpected error: %v, want %v of EEPROM 0x0f", tt.answer, err, tt.want)
		}
	}
}

// A byte counts once two readings agree, of which what is expected is one.
func TestConfirmEEPROM(t *testing.T) {
	c := play(t, script(synced,
		onWant("<V0E>", "<6C>"),                          // as expected
		onWant("<V0F>", "<82>"), onWant("<V0F>", "<02>"), // damaged once
		onWant("<V10>", "<A7>"), onWant("<V10>", "<A7>"), // another
		onWant("<V11>", "<3E>"), onWant("<V11>", "<3F>"), onWant("<V11>", "<3E>"), // another, damaged once
	)...)
	p := [4]byte{0x6C, 0x02, 0xFF, 0xFF}
	if err := c.ConfirmEEPROM(t.Context(), 0x0E, p[:]); err != nil || p != [4]byte{0x6C, 0x02, 0xA7, 0x3E} {
		t.Errorf("unexpected bytes: % X, %v", p, err)
	}
	c = play(t, script(synced, onWant("<V0E>", "<01>"), onWant("<V0E>", "<02>"), onWant("<V0E>", "<03>"), onWant("<V0E>", "<04>"), onWant("<V0E>", "<05>"))...)
	err := c.ReadEEPROM(t.Context(), 0x0E, p[:1])
	if !errors.Is(err, ErrNotUnderstood) || err.Error() != `read EEPROM 0x0e: the meter's answer was not understood: <"05">: no two of 5 readings agree` {
		t.Errorf("unexpected error: %v", err)
	}
}
