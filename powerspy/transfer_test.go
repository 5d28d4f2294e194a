package powerspy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	x0 = "<X120906 0000>"
	x1 = "<X120906 0001>"
	x2 = "<X120906 0002>"
)

// content is that of a file of some size, which has what could be mistaken.
func content(size int) string {
	return strings.Repeat("<Z>\n\r<"+v2Identity+">\n\r0123456789>", size/30+1)[:size]
}

// plain is content that nothing can be mistaken for.
func plain(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "line %d\r\n", i)
	}
	return b.String()[:size]
}

// pieces cuts <content> into blocks.
func pieces(content string) (blocks []string) {
	stream := "<" + content + ">"
	for len(stream) > blockSize {
		blocks = append(blocks, stream[:blockSize])
		stream = stream[blockSize:]
	}
	return append(blocks, stream)
}

// read reads a file of some size and returns what has been written.
func read(ctx context.Context, c *Client, size int) (string, error) {
	var b bytes.Buffer
	err := c.ReadFile(ctx, File{"120906.DAT", int64(size)}, &b, nil)
	return b.String(), err
}

// The arithmetic of blocks, with each way to end them that a meter may have.
func TestReadFile(t *testing.T) {
	for name, ends := range map[string]struct{ block, last, line string }{
		"after the last": {"", "\n\r", "\n\r"},
		"after each":     {"\n\r", "\n\r", "\n\r"},
		"never":          {"", "", "\n\r"},
		"none at all":    {"", "", ""},
		"LF":             {"\n", "\n", "\n"},
		"only blocks":    {"\n\r", "\n\r", ""},
	} {
		for _, size := range []int{0, 1, 2, 2045, 2046, 2047, 2048, 2049, 4093, 4094, 4095, 5000} {
			t.Run(name, func(t *testing.T) {
				id := onWant("<?>", "<"+v2Identity+">"+ends.line)
				blocks := pieces(content(size))
				steps := script(id, id)
				for k, b := range blocks {
					end := ends.block
					if k == len(blocks)-1 {
						end = ends.last
					}
					steps = append(steps, onWant([]string{x0, x1, x2}[k], b+end)...)
					if k == 0 || k == len(blocks)-1 {
						steps = append(steps, id...)
					}
				}
				for _, chop := range []int{0, 1, 7} {
					c := playback{chop: chop, steps: steps}.start(t, nil)
					got, err := read(t.Context(), c, size)
					if err != nil || got != content(size) {
						t.Errorf("%d bytes, chopped to %d: got %d: %v", size, chop, len(got), err)
					}
				}
			})
		}
	}
}

// What goes wrong with a block, and whether it is found out and put right.
func TestReadFileTrouble(t *testing.T) {
	const size = 5000 // Blocks of 2048, 2048, 906.
	b := pieces(plain(size))
	line := "\n\r"
	late := []step{pause(DefaultTimeout)}
	again := fences(2)
	first := script(fences(2), onWant(x0, b[0]), fenced)
	tests := []struct {
		name  string
		steps []step
		want  error // nil if the file comes out right
	}{
		{"block lost", script(first,
			[]step{want(x1)}, late, again, onWant(x1, b[1]), fenced,
			onWant(x2, b[2]+line), fenced), nil},
		{"first block lost", script(fences(2),
			[]step{want(x0)}, late, again, onWant(x0, b[0]), fenced,
			onWant(x1, b[1]), onWant(x2, b[2]+line), fenced), nil},
		{"last block lost thrice", script(first, onWant(x1, b[1]),
			[]step{want(x2)}, late, again, []step{want(x2)}, late, again, []step{want(x2)}, late, again,
			onWant(x2, b[2]+line), fenced), nil},
		{"block lost four times", script(first, repeat(3, script([]step{want(x1)}, late, again)), []step{want(x1)}, late), ErrNoAnswer},
		{"bytes lost", script(first,
			onWant(x1, b[1][:700]+b[1][800:]), late, again, onWant(x1, b[1]), fenced,
			onWant(x2, b[2]+line), fenced), nil},
		{"end of a block lost", script(first, onWant(x1, b[1]),
			onWant(x2, b[2][:700]), late, again, onWant(x2, b[2]+line), fenced), nil},
		// There is no telling whether the bytes before were those of the file.
		{"bytes lost after a block without a fence", script(first, onWant(x1, b[1]),
			onWant(x2, b[2][:700]+b[2][800:]), late, again, onWant(x2, b[2]+line), fenced), ErrNotUnderstood},
		{"bytes too many before a block", script(first, onWant(x1, "0"+b[1]),
			onWant(x2, b[2]+line), fenced, again, onWant(x2, b[2]+line), fenced), ErrNotUnderstood},
		{"bytes too many, then silence", script(first, onWant(x1, "0"+b[1]),
			[]step{want(x2)}, late, again, onWant(x2, b[2]+line), fenced), ErrNotUnderstood},
		{"block late", script(first,
			[]step{want(x1), pause(DefaultTimeout + 1), send(b[1])}, again, onWant(x1, b[1]), fenced,
			onWant(x2, b[2]+line), fenced), nil},
		// The answer to a fence that was given up comes before the block.
		{"fence late", script(first,
			[]step{want(x1)}, late, []step{want("<?>")}, late, []step{want("<?>"), send("<" + v2Identity + ">\n\r"), want("<?>"), send("<" + v2Identity + ">\n\r"),
				want(x1), send("<" + v2Identity + ">\n\r" + b[1])}, fenced,
			again, onWant(x1, b[1]), fenced,
			onWant(x2, b[2]+line), fenced), nil},
		{"block twice", script(first,
			[]step{want(x1)}, late, again, onWant(x1, b[1]+b[1]), fenced, again, onWant(x1, b[1]), fenced,
			onWant(x2, b[2]+line), fenced), nil},
		{"first block too long", script(fences(2), repeat(3, script(onWant(x0, b[0]+"0"), fenced, again)), onWant(x0, b[0]+"0"), fenced), ErrNotUnderstood},
		{"bytes too many after a block", script(first, onWant(x1, b[1]+"0"),
			onWant(x2, b[2]+line), fenced, again, onWant(x2, b[2]+line), fenced), ErrNotUnderstood},
		{"file shorter", script(first, repeat(3, script(onWant(x1, b[1][:900]), late, again)), onWant(x1, b[1][:900]), late), ErrNotUnderstood},
		{"file longer", script(first, onWant(x1, b[1]), repeat(3, script(onWant(x2, b[2]+plain(1142)), fenced, again)), onWant(x2, b[2]+plain(1142)), fenced), ErrNotUnderstood},
		{"file gone", script(fences(2), onWant(x0, "<Z>\n\r"), late), ErrRefused},
		{"file gone halfway", script(first, onWant(x1, "<Z>\n\r"), late), ErrRefused},
		{"no <", script(fences(2), repeat(3, script(onWant(x0, "0"+b[0][1:]), fenced, again)), onWant(x0, "0"+b[0][1:]), fenced), ErrNotUnderstood},
		{"dead", script(first, []step{want(x1)}, late, repeat(3, script([]step{want("<?>")}, late))), ErrNoAnswer},
		{"streaming again", script(first,
			onWant(x1, b[1][:1000]), late,
			onWant("<?>", "<"+goldenFrame+">\n\r<POWERSPYT0100350304D2>\n\r"), onWant("<?>", "<"+goldenFrame+">\n\r<POWERSPYT0100350304D2>\n\r"),
			onWant("<Q>", "<"+goldenFrame+">\n\r<K>\n\r"), again,
			onWant(x1, b[1]), fenced, onWant(x2, b[2]+line), fenced), nil},
		{"streaming without saying so", script(first,
			onWant(x1, b[1][:1000]), late,
			onWant("<?>", "<"+goldenFrame+">\n\r<"+v2Identity+">\n\r"), onWant("<?>", "<"+goldenFrame+">\n\r<"+v2Identity+">\n\r"),
			onWant("<Q>", "<K>\n\r"), again,
			onWant(x1, b[1]), fenced, onWant(x2, b[2]+line), fenced), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := play(t, script(tt.steps, onWant("<?>", "<"+v2Identity+">"), readsByte)...)
				got, err := read(t.Context(), c, size)
				if !errors.Is(err, tt.want) || err == nil && got != plain(size) {
					t.Errorf("got %d bytes: %v, want %v", len(got), err, tt.want)
				}
				if tt.want == nil && err != nil {
					t.Errorf("failed: %v", err)
				}
				identified(t, c)
				var p [1]byte
				if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); err != nil || p[0] != 0x6C {
					t.Errorf("failed afterwards: %#02x, %v", p[0], err)
				}
			})
		})
	}
}

// A file of one byte may look like a refusal.
func TestReadFileZ(t *testing.T) {
	c := play(t, script(fences(2), onWant(x0, "<Z>\n\r"), fenced)...)
	var b bytes.Buffer
	if err := c.ReadFile(t.Context(), File{"120906.DAT", 1}, &b, nil); err != nil || b.String() != "Z" {
		t.Errorf("got %q, %v", b.String(), err)
	}
	// An empty one does not.
	c = play(t, script(fences(2), onWant(x0, "<Z>\n\r"), fenced)...)
	if err := c.ReadFile(t.Context(), File{"120906.DAT", 0}, &b, nil); !errors.Is(err, ErrRefused) {
		t.Errorf("unexpected error: %v, want %v", err, ErrRefused)
	}
}

// The context ends a transfer at once, and the client is of use afterwards.
func TestReadFileContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := pieces(plain(5000))
		c := play(t, script(fences(2), onWant(x0, b[0]), fenced,
			onWant(x1, b[1][:1000]), []step{pause(time.Second), send(b[1][1000:])}, onWant("<?>", "<"+v2Identity+">"), readsByte)...)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := read(ctx, c, 5000); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoAnswer) || time.Since(start) != 500*time.Millisecond {
			t.Errorf("unexpected error after %v: %v", time.Since(start), err)
		}
		var p [1]byte
		if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); err != nil || p[0] != 0x6C {
			t.Errorf("failed afterwards: %#02x, %v", p[0], err)
		}
	})
}

// A writer fails.
type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.room {
		return d.room, io.ErrShortBuffer
	}
	d.room -= len(p)
	return len(p), nil
}

func TestReadFileWriter(t *testing.T) {
	b := pieces(plain(5000))
	c := play(t, script(fences(2), onWant(x0, b[0]), fenced, onWant(x1, b[1]), onWant("<?>", "<"+v2Identity+">"), readsByte)...)
	var told []int64
	err := c.ReadFile(t.Context(), File{"120906.DAT", 5000}, &fullDisk{3000}, func(n int64) { told = append(told, n) })
	if !errors.Is(err, io.ErrShortBuffer) || !strings.Contains(err.Error(), `read file "120906.DAT": write after 2047 bytes: `) || len(told) != 1 || told[0] != 2047 {
		t.Errorf("unexpected error: %v, told %v", err, told)
	}
	var p [1]byte
	if err := c.ReadEEPROM(t.Context(), 0x0E, p[:]); err != nil || p[0] != 0x6C {
		t.Errorf("failed afterwards: %#02x, %v", p[0], err)
	}
}

// FuzzReadFile has a meter send arbitrary bytes for a file: what passes for it
// is what the meter's blocks hold, between < and >.
func FuzzReadFile(f *testing.F) {
	f.Add([]byte("<abc>\n\r"), uint16(3))
	f.Add([]byte("<abc"), uint16(3))
	f.Add([]byte("<Z>\n\r"), uint16(1))
	f.Add([]byte("<<POWERSPYR0100350304D2>\n\r>"), uint16(25))
	f.Fuzz(func(t *testing.T, answer []byte, size uint16) {
		size %= 200
		synctest.Test(t, func(t *testing.T) {
			c := respond(t, func(request string) string {
				switch request {
				case "<?>":
					return "<" + v2Identity + ">\n\r"
				case "<Q>":
					return "<K>\n\r"
				case x0:
					return string(answer)
				}
				return "<Z>\n\r"
			})
			got, err := read(t.Context(), c, int(size))
			want := strings.TrimRight(string(answer), "\r\n")
			if err == nil && "<"+got+">" != want {
				t.Errorf("%q was read as %q", answer, got)
			}
			var e *Error
			if err != nil && !errors.As(err, &e) {
				t.Errorf("unexpected error: %v", err)
			}
		})
	})
}
