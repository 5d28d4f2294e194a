package powerspy

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseIdentity(t *testing.T) {
	tests := []struct {
		text string
		want Identity
		gen  Generation
	}{
		{goldenIdentity, Identity{Complete, true, 0xFF, 0x35, 0x02, 1}, V1},
		{v2Identity, Identity{Ready, true, 0x00, 0x35, 0x03, 1234}, V2},
		{"POWERSPYT000035FFFFFF", Identity{Streaming, false, 0x00, 0x35, 0xFF, 0xFFFF}, V2},
	}
	for _, tt := range tests {
		got, ok := parseIdentity([]byte(tt.text))
		if !ok || got != tt.want || got.Generation() != tt.gen {
			t.Errorf("%s: %+v (%v), %v, want %+v (%v)", tt.text, got, got.Generation(), ok, tt.want, tt.gen)
		}
	}
	for _, text := range []string{
		"", "K", "POWERSPY", goldenIdentity[1:], goldenIdentity + "0", goldenIdentity[:len(goldenIdentity)-1],
		"POWERSPY?01FF35020001", "POWERSPYC01FF3502000G", "POWERSPYC01ff35020001", "powerspyC01FF35020001",
	} {
		if got, ok := parseIdentity([]byte(text)); ok {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

func TestIdentityFindsItsAnswer(t *testing.T) {
	const frame = "<" + goldenFrame + ">\n\r"
	tests := []struct{ name, before string }{
		{"nothing", ""},
		{"a stale frame", frame},
		{"stale frames", frame + frame + frame},
		{"half a stale frame", "2FB 003AC29C 0FA9 0AB5>\n\r" + frame},
		{"a damaged stale frame", "<007A1FCA 001F82FB 003A<" + goldenFrame + ">"},
		{"late answers", "<K><Z.><6C><F6C00>"},
		{"noise", "\x00\xff>\n\r"},
		{"an endless frame", "<" + string(make([]byte, 3*maxFrame))},
	}
	for _, tt := range tests {
		for chop := range 8 { // 0 is all at once
			t.Run(tt.name, func(t *testing.T) {
				c := playback{chop: chop, steps: onWant("<?>", tt.before+"<"+goldenIdentity+">")}.start(t, nil)
				got, err := c.Identity(t.Context())
				if want := (Identity{Complete, true, 0xFF, 0x35, 0x02, 1}); err != nil || got != want {
					t.Fatalf("chopped to %d: %+v, %v, want %+v", chop, got, err, want)
				}
			})
		}
	}
}

func TestIdentityFails(t *testing.T) {
	tests := []struct {
		name   string
		answer string
		want   error
		after  time.Duration
	}{
		{"silence", "", ErrNoAnswer, DefaultTimeout},
		{"only late answers", "<K><6C><F6C00>", ErrNoAnswer, DefaultTimeout},
		{"a refusal and silence", "<Z>", ErrRefused, DefaultTimeout},
		{"another device", "<ERROR>", ErrNotUnderstood, DefaultTimeout},
		{"malformed", "<POWERSPYC01>", ErrNotUnderstood, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				steps := []step{want("<?>")}
				if tt.answer != "" {
					steps = append(steps, send(tt.answer))
				}
				c := play(t, steps...)
				start := time.Now()
				_, err := c.Identity(t.Context())
				if took := time.Since(start); !errors.Is(err, tt.want) || took != tt.after {
					t.Fatalf("unexpected error after %v: %v, want %v after %v", took, err, tt.want, tt.after)
				}
			})
		})
	}
}

// Once synchronised, a refusal or nonsense can only be the answer.
func TestIdentityFailsAtOnce(t *testing.T) {
	for answer, want := range map[string]error{"<Z>": ErrRefused, "<Z.>": ErrRefused, "<K>": ErrNotUnderstood, "<ERROR>": ErrNotUnderstood} {
		synctest.Test(t, func(t *testing.T) {
			c := play(t, script(synced, onWant("<?>", answer))...)
			if _, err := c.Identity(t.Context()); err != nil {
				t.Fatalf("failed to synchronise: %v", err)
			}
			start := time.Now()
			_, err := c.Identity(t.Context())
			if took := time.Since(start); !errors.Is(err, want) || took != 0 {
				t.Fatalf("%s: unexpected error after %v: %v, want %v", answer, took, err, want)
			}
		})
	}
}
