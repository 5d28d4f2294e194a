package powerspy

import (
	"errors"
	"fmt"
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
				c := playback{chop: chop, steps: script(onWant("<?>", tt.before+"<"+goldenIdentity+">"), onWant("<?>", "<"+goldenIdentity+">"))}.start(t, nil)
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
			c := play(t, script(met, onWant("<?>", answer))...)
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

// A damaged digit makes no other meter of this one: neither at first nor later.
func TestIdentityAgrees(t *testing.T) {
	const right = "<POWERSPYR0100350204D2>" // V1
	tests := []struct {
		name    string
		answers []string
		asks    int // in two calls
		want    string
	}{
		{"sound", []string{right}, 3, right},
		{"hardware", []string{"<POWERSPYR0100350304D2>", right}, 4, right},
		{"hardware, the second time", []string{right, "<POWERSPYR0100350304D2>", right}, 5, right},
		{"serial number", []string{"<POWERSPYR01003502F4D2>", right}, 4, right},
		{"later", []string{right, right, "<POWERSPYR01003502F4D2>", right}, 4, right},
		{"another meter", []string{right, right, "<POWERSPYR010035030001>"}, 4, "<POWERSPYR010035030001>"},
		{"the status is no matter", []string{right, "<POWERSPYW0101350204D2>"}, 3, "<POWERSPYW0101350204D2>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			c := respond(t, func(string) string {
				asked++
				return tt.answers[min(asked, len(tt.answers))-1]
			})
			identified(t, c)
			id, err := c.Identity(t.Context())
			if got := "<" + string(id.append(nil)) + ">"; got != tt.want || err != nil || asked != tt.asks {
				t.Errorf("got %s after %d answers: %v; want %s after %d", got, asked, err, tt.want, tt.asks)
			}
		})
	}
	asked := 0
	c := respond(t, func(string) string {
		asked++
		return fmt.Sprintf("<POWERSPYR01003503%04X>", asked)
	})
	if _, err := c.Identity(t.Context()); !errors.Is(err, ErrNotUnderstood) || asked != readings {
		t.Errorf("unexpected error after %d answers: %v", asked, err)
	}
}
