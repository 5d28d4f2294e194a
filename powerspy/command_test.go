package powerspy

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fenced is a fence: an identity, and the line end after it.
var fenced = onWant("<?>", "<"+v2Identity+">\n\r")

// fences returns n of them.
func fences(n int) (steps []step) {
	for range n {
		steps = append(steps, fenced...)
	}
	return steps
}

// Every command of the protocol: what is sent, and what becomes of its answer,
// of a refusal, of nonsense and of none, on either generation.
var commandTests = []struct {
	name string
	do   func(context.Context, *Client, Generation) (any, error)
	only Generation // if not zero, the other generation has no such command

	v1, v2 string // the request; v2 if v1 is empty
	before []step // between synchronising and the request
	answer string
	after  []step // after the answer
	want   any

	refusal  error  // what <Z> means
	refused  []step // after a refusal
	nonsense string // an answer of another kind; <ERROR> if empty
	odd      []step // after the nonsense
	silent   []step // after a request without an answer, if there is more
}{
	{
		name: "?",
		do: func(ctx context.Context, c *Client, g Generation) (any, error) {
			id, err := c.Identity(ctx)
			return string(id.append(nil)) == identities[g], err
		},
		v2: "<?>", answer: "", // of the meter that is known: see below
		want: true, refusal: ErrRefused,
	},
	{
		name: "L",
		do: func(ctx context.Context, c *Client, _ Generation) (any, error) {
			return nil, c.SetCaptureLength(ctx, 100)
		},
		v2: "<L64>", answer: "<K>", refusal: ErrRefused,
	},
	{
		name: "T",
		do: func(ctx context.Context, c *Client, _ Generation) (any, error) {
			return nil, c.SetTrigger(ctx, Trigger{Enabled: true, Pretrigger: 0x10, Thresholds: [8]uint16{1, 0x0395, 0, 0xFFFF, 0, 0xA, 0, 0xBC}})
		},
		v2: "<T0110000103950000FFFF0000000A000000BC>", answer: "<K>", refusal: ErrRefused,
	},
	{
		name: "T off",
		do: func(ctx context.Context, c *Client, _ Generation) (any, error) {
			return nil, c.SetTrigger(ctx, Trigger{})
		},
		v2: "<T" + strings.Repeat("0", 36) + ">", answer: "<K>", refusal: ErrRefused,
	},
	{
		name: "W",
		do: func(ctx context.Context, c *Client, _ Generation) (any, error) {
			return nil, c.WriteEEPROM(ctx, 0x1A, []byte{0x3C})
		},
		v2: "<W1A3C>", answer: "<K>", refusal: ErrRefused,
	},
	{
		name: "V",
		do: func(ctx context.Context, c *Client, _ Generation) (any, error) {
			var p [1]byte
			err := c.ReadEEPROM(ctx, 0x0E, p[:])
			return p[0], err
		},
		v2: "<V0E>", answer: "<6C>", after: onWant("<V0E>", "<6C>"), want: byte(0x6C), refusal: ErrRefused,
	},
	{
		name: "C",
		do:   func(ctx context.Context, c *Client, _ Generation) (any, error) { return nil, c.CancelCapture(ctx) },
		v2:   "<C>", answer: "<Z>", refusal: nil,
	},
	{
		name: "C done",
		do:   func(ctx context.Context, c *Client, _ Generation) (any, error) { return nil, c.CancelCapture(ctx) },
		v2:   "<C>", answer: "<K>", refusal: nil,
	},
	{
		name: "F",
		do: func(ctx context.Context, c *Client, g Generation) (any, error) {
			hertz, err := c.Frequency(ctx)
			return hertz == g.hertz(0x5100), err
		},
		v2: "<F>", answer: "<F5100>", after: onWant("<F>", "<F5100>"), want: true, refusal: ErrRefused,
	},
	{
		name: "A",
		do: func(ctx context.Context, c *Client, _ Generation) (any, error) {
			cp, err := c.ReadCapture(ctx, 1)
			return cp, err
		},
		v2: "<A>", answer: "<A200002" + "00010002" + "FFFF8000" + ">",
		want: &Capture{
			Periods: 1, Result: 0x20, Announced: 2, Counts: []CaptureCount{{1, 2}, {-1, -32768}},
			Raw: []byte("2000020001" + "0002FFFF8000"),
		},
		refusal: ErrRefused,
	},
	{
		name: "B",
		do: func(ctx context.Context, c *Client, _ Generation) (any, error) {
			cp, err := c.ReadCaptureBinary(ctx, 1)
			if err != nil {
				return nil, err
			}
			return cp.Counts[255], nil
		},
		v2: "<B>", before: fences(2),
		answer: "<B" + strings.Repeat("\x00\x01<>", 255) + "\x12\x34\xFF\xFE" + ">\n\r", after: fenced,
		want:    CaptureCount{0x1234, -2},
		refusal: ErrRefused, refused: fenced, odd: fenced,
	},
	{
		name: "Q",
		do:   func(ctx context.Context, c *Client, _ Generation) (any, error) { return nil, c.Stop(ctx) },
		v2:   "<Q>", answer: "<K.>", refusal: nil, // It had nothing to stop.
	},
	{
		name: "E", only: V2,
		do: func(ctx context.Context, c *Client, g Generation) (any, error) {
			return nil, c.SetClock(ctx, time.Date(2012, 8, 31, 16, 22, 0, 999, time.FixedZone("", 3600)))
		},
		v2: "<E0C081F101600>", answer: "<K.>", refusal: ErrRefused,
	},
	{
		name: "G", only: V2,
		do: func(ctx context.Context, c *Client, g Generation) (any, error) { return c.Clock(ctx, time.UTC) },
		v2: "<G>", answer: "<0C081E101621>", want: time.Date(2012, 8, 30, 16, 22, 33, 0, time.UTC), refusal: ErrRefused,
	},
	{
		name: "M", only: V2,
		do: func(ctx context.Context, c *Client, g Generation) (any, error) {
			return nil, c.SetLogPeriod(ctx, 5000)
		},
		v2: "<M1388>", answer: "<K.>", refusal: ErrRefused,
	},
	{
		name: "O", only: V2,
		do: func(ctx context.Context, c *Client, g Generation) (any, error) { return nil, c.StartLog(ctx) },
		v2: "<O>", answer: "<K.>", refusal: ErrRefused,
	},
	{
		name: "P", only: V2,
		do: func(ctx context.Context, c *Client, g Generation) (any, error) { return nil, c.StopLog(ctx) },
		v2: "<P>", answer: "<K>", refusal: ErrRefused,
	},
	{
		name: "U", only: V2,
		do: func(ctx context.Context, c *Client, g Generation) (any, error) {
			list, err := c.ListFiles(ctx)
			return list, err
		},
		v2: "<U>", answer: "<120906.DAT:7FE/120907.DAT:0/>",
		want: &FileList{
			Files: []File{{"120906.DAT", 2046}, {"120907.DAT", 0}},
			Raw:   []byte("120906.DAT:7FE/120907.DAT:0/"),
		},
		refusal: ErrRefused,
	},
	{
		name: "Y", only: V2,
		do: func(ctx context.Context, c *Client, g Generation) (any, error) {
			return nil, c.DeleteFile(ctx, "120906.DAT")
		},
		v2: "<Y120906.DAT>", answer: "<K>", refusal: ErrRefused,
	},
	{
		name: "X", only: V2,
		do: func(ctx context.Context, c *Client, g Generation) (any, error) {
			var b bytes.Buffer
			err := c.ReadFile(ctx, File{"120906.DAT", 5}, &b, nil)
			return b.String(), err
		},
		v2: "<X120906 0000>", before: fences(2), answer: "<<\n\r>Z>", after: fenced, want: "<\n\r>Z",
		refusal:  ErrRefused, // once the meter has been silent for a while
		nonsense: "<1234567>\n\r", odd: script(fenced, repeat(3, script(fences(2), onWant("<X120906 0000>", "<1234567>\n\r"), fenced))),
		silent: repeat(3, script(fences(2), []step{want("<X120906 0000>"), pause(DefaultTimeout)})),
	},
}

func repeat(n int, steps []step) (all []step) {
	for range n {
		all = append(all, steps...)
	}
	return all
}

func TestCommands(t *testing.T) {
	for _, tt := range commandTests {
		for _, g := range []Generation{V1, V2} {
			request := tt.v2
			if g == V1 && tt.v1 != "" {
				request = tt.v1
			}
			// Afterwards the client goes on as if nothing had happened.
			run := func(name string, wantErr error, steps ...[]step) {
				t.Run(tt.name+"/"+g.String()+"/"+name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						steps := script(append(steps, onWant("<?>", "<"+identities[g]+">"), readsByte)...)
						for i := range steps { // fences are those of V2
							steps[i].send = strings.ReplaceAll(steps[i].send, v2Identity, identities[g])
						}
						c := play(t, steps...)
						identified(t, c)
						got, err := tt.do(t.Context(), c, g)
						var e *Error
						if !errors.Is(err, wantErr) || err != nil && !errors.As(err, &e) {
							t.Errorf("unexpected error: %v, want %v", err, wantErr)
						}
						if diff := cmp.Diff(tt.want, got); err == nil && name == "answer" && diff != "" {
							t.Errorf("unexpected result (-want +got):\n%s", diff)
						}
						identified(t, c)
						var p [1]byte
						if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); err != nil || p[0] != 0x6C {
							t.Errorf("failed afterwards: %#02x, %v", p[0], err)
						}
					})
				})
			}
			if tt.only != 0 && tt.only != g {
				run("not supported", ErrNotSupported, meets(g))
				run("unsupported", errors.ErrUnsupported, meets(g))
				continue
			}
			nonsense := tt.nonsense
			if nonsense == "" {
				nonsense = "<ERROR>"
			}
			ask := script(tt.before, []step{want(request)})
			// Only the identity is asked for in any case.
			first := meets(g)
			answer := tt.answer
			if tt.name == "?" {
				answer = "<" + identities[g] + ">"
			}
			run("answer", nil, first, ask, []step{send(answer)}, tt.after)
			run("refusal", tt.refusal, first, ask, []step{send("<Z>\n\r")}, tt.refused)
			run("dotted refusal", tt.refusal, first, ask, []step{send("<Z.>\n\r")}, tt.refused)
			run("nonsense", ErrNotUnderstood, first, ask, []step{send(nonsense)}, tt.odd)
			run("silence", ErrNoAnswer, first, ask, []step{pause(DefaultTimeout)}, tt.silent)
			if tt.name == "?" || tt.name == "F" || tt.name == "V" || tt.name == "Q" {
				continue // for these see their own tests
			}
			streaming := "POWERSPYT" + identities[g][len("POWERSPYT"):]
			run("stream of another", nil,
				twice("<?>", "<"+goldenFrame+">\n\r<"+streaming+">\n\r<"+goldenFrame+">\n\r"),
				onWant("<Q>", "<"+goldenFrame+">\n\r<K>\n\r"),
				ask, []step{send(tt.answer)}, tt.after)
			run("stream of another that does not say so", nil,
				twice("<?>", "<"+goldenFrame+">\n\r<"+identities[g]+">\n\r"),
				onWant("<Q>", "<K>\n\r"),
				ask, []step{send(tt.answer)}, tt.after)
		}
	}
}

// What only asks is asked again, with the link synchronised before, so that an
// answer that comes late is not taken for another one's.
func TestRetries(t *testing.T) {
	asks := 0
	for _, tt := range commandTests {
		again := tt.name == "V" || tt.name == "F" || tt.name == "G" || tt.name == "U"
		if again {
			asks++
		}
		run := func(name string, wantErr error, steps ...[]step) {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := playback{steps: script(steps...)}.start(t, &Config{Retries: 1})
					identified(t, c)
					if _, err := tt.do(t.Context(), c, V2); !errors.Is(err, wantErr) {
						t.Errorf("unexpected error: %v, want %v", err, wantErr)
					}
				})
			})
		}
		lost := []step{want(tt.v2), pause(DefaultTimeout)}
		late := []step{want(tt.v2), pause(DefaultTimeout + 1), send(tt.answer + "\n\r")}
		answered := script(onWant(tt.v2, tt.answer), tt.after)
		switch {
		case again:
			run("answer lost", nil, met, lost, synced, answered)
			run("answer late", nil, met, late, synced, answered)
			run("nonsense", nil, met, onWant(tt.v2, "<ERROR>"), synced, answered)
			run("lost twice", ErrNoAnswer, met, lost, synced, lost)
			run("refused", ErrRefused, met, onWant(tt.v2, "<Z>"))
		case tt.before == nil: // the other two fence their answers
			run("answer lost", ErrNoAnswer, met, lost)
		}
	}
	if asks != 4 {
		t.Errorf("%d commands that ask again", asks)
	}
}

// What the meter does not answer at all, or differently on each generation.
func TestStartCapture(t *testing.T) {
	tests := []struct {
		name  string
		gen   Generation
		steps []step
		want  error
	}{
		{"V2", V2, onWant("<S>", "<K>"), nil},
		{"V2 refuses", V2, onWant("<S>", "<Z>"), ErrRefused},
		{"V2 is silent", V2, []step{want("<S>"), pause(DefaultTimeout)}, ErrNoAnswer},
		{"V2 talks nonsense", V2, onWant("<S>", "<F6C00>"), ErrNotUnderstood},
		{"V1", V1, script([]step{want("<S>")}, onWant("<?>", "<"+goldenIdentity+">")), nil},
		{"V1 answers", V1, script(onWant("<S>", "<K>"), onWant("<?>", "<"+goldenIdentity+">")), nil},
		{"V1 is dead", V1, []step{want("<S>"), want("<?>"), pause(DefaultTimeout)}, ErrNoAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := play(t, script(meets(tt.gen), tt.steps)...)
				if err := c.StartCapture(t.Context()); !errors.Is(err, tt.want) {
					t.Errorf("unexpected error: %v, want %v", err, tt.want)
				}
			})
		})
	}
}

func TestReset(t *testing.T) {
	c := play(t, script(meets(V1), onWant("<R>", "<K>\n\r"), onWant("<?>", "<"+goldenIdentity+">"), readsByte)...)
	if err := c.Reset(t.Context()); err != nil {
		t.Fatalf("failed to reset: %v", err)
	}
	// An answer to R, if there should be one, is not that of the next request.
	var p [1]byte
	if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); err != nil || p[0] != 0x6C {
		t.Errorf("failed afterwards: %#02x, %v", p[0], err)
	}
	c = play(t, met...)
	if err := c.Reset(t.Context()); !errors.Is(err, ErrNotSupported) || err.Error() != "reset the meter: V2: not supported by this generation of meter" {
		t.Errorf("unexpected error: %v, want %v", err, ErrNotSupported)
	}
}

// What cannot be said is not sent.
func TestOutOfRange(t *testing.T) {
	tests := map[string]func(context.Context, *Client) error{
		"capture of 0 periods":   func(ctx context.Context, c *Client) error { return c.SetCaptureLength(ctx, 0) },
		"capture of 101 periods": func(ctx context.Context, c *Client) error { return c.SetCaptureLength(ctx, 101) },
		"read 101 periods": func(ctx context.Context, c *Client) error {
			_, err := c.ReadCapture(ctx, 101)
			return err
		},
		"read 0 periods": func(ctx context.Context, c *Client) error {
			_, err := c.ReadCaptureBinary(ctx, 0)
			return err
		},
		"past the EEPROM": func(ctx context.Context, c *Client) error { return c.WriteEEPROM(ctx, 0xFF, []byte{1, 2}) },
		"year 1999": func(ctx context.Context, c *Client) error {
			return c.SetClock(ctx, time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC))
		},
		"year 2256": func(ctx context.Context, c *Client) error {
			return c.SetClock(ctx, time.Date(2256, 1, 1, 0, 0, 0, 0, time.UTC))
		},
		"log period -1":   func(ctx context.Context, c *Client) error { return c.SetLogPeriod(ctx, -1) },
		"log period 5001": func(ctx context.Context, c *Client) error { return c.SetLogPeriod(ctx, 5001) },
		"file of no name": func(ctx context.Context, c *Client) error { return c.DeleteFile(ctx, "") },
		"file of a short name": func(ctx context.Context, c *Client) error {
			return c.DeleteFile(ctx, "12090.DAT")
		},
		"file of another kind": func(ctx context.Context, c *Client) error { return c.DeleteFile(ctx, "120906.TXT") },
		"file with a bracket":  func(ctx context.Context, c *Client) error { return c.DeleteFile(ctx, "1209>6.DAT") },
		"file of a long name":  func(ctx context.Context, c *Client) error { return c.DeleteFile(ctx, "../../120906.DAT") },
		"file with a line end": func(ctx context.Context, c *Client) error { return c.DeleteFile(ctx, "1209\n6.DAT") },
		"file of a negative size": func(ctx context.Context, c *Client) error {
			return c.ReadFile(ctx, File{"120906.DAT", -1}, nil, nil)
		},
		"file too large": func(ctx context.Context, c *Client) error {
			return c.ReadFile(ctx, File{"120906.DAT", MaxFileSize + 1}, nil, nil)
		},
		"file of no name to read": func(ctx context.Context, c *Client) error { return c.ReadFile(ctx, File{"X", 1}, nil, nil) },
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) {
			c := play(t) // Whatever is sent fails the test.
			if err := do(t.Context(), c); !errors.Is(err, ErrOutOfRange) {
				t.Errorf("unexpected error: %v, want %v", err, ErrOutOfRange)
			}
		})
	}
}
