package logfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWholeLength(t *testing.T) {
	zeros := strings.Repeat("\x00", 3*blockSize+5)
	long := strings.Repeat("x", blockSize)
	for _, tt := range []struct {
		name, whole, torn string
		err               error
	}{
		{name: "empty"},
		{name: "whole", whole: "one\ntwo\n"},
		{name: "one line", whole: "one\n"},
		{name: "empty lines", whole: "\n\n"},
		{name: "carriage return", whole: "one\r\n", torn: "two\r"},
		{name: "torn", whole: "one\n", torn: "tw"},
		{name: "torn first line", torn: "tw"},
		{name: "half a letter", whole: "one\n", torn: "\xc3"},
		{name: "zeros", whole: "one\n", torn: "\x00\x00"},
		{name: "zeros only", torn: zeros},
		{name: "zeros after half a line", whole: "one\n", torn: "tw" + zeros},
		{name: "zeros in a line", whole: "one\n", torn: "tw\x00\x00o\n"},
		{name: "zeros in two lines", whole: "one\n", torn: "t\x00o\n\x00three\n"},
		{name: "zeros, whole line's end", whole: "one\n", torn: zeros + "o\n"},
		{name: "whole lines after zeros", whole: "one\n\x00\x00o\nthree\n", torn: "f"},
		{name: "long line", whole: "one\n" + long + long + "\n", torn: "x"},
		{name: "torn at a block's edge", whole: "one\n", torn: long[1:]},
		{name: "longest torn line", whole: "one\n", torn: long},
		{name: "no lines", whole: "one\n", torn: long + "x", err: ErrNotText},
		{name: "no lines, and zeros", whole: "one\n", torn: long + zeros + "x", err: ErrNotText},
		{name: "no text", whole: "one\n", torn: "\x7fELF\x02", err: ErrNotText},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := tt.whole + tt.torn
			got, err := wholeLength(strings.NewReader(text), int64(len(text)))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err == nil && got != int64(len(tt.whole)) {
				t.Errorf("got %d, want %d", got, len(tt.whole))
			}
		})
	}
}

// A file that is shortened while it is looked at is an error, not a loss.
func TestWholeLengthShortened(t *testing.T) {
	if _, err := wholeLength(strings.NewReader("one\n"), 10); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want %v", err, io.EOF)
	}
}

// lastBlocks counts what is read of a file.
type lastBlocks struct {
	io.ReaderAt
	read int
}

func (l *lastBlocks) ReadAt(p []byte, at int64) (int, error) {
	l.read += len(p)
	return l.ReaderAt.ReadAt(p, at)
}

// A file larger than the memory costs its last blocks.
func TestWholeLengthOfHugeFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size int64 = 1 << 40
	text := "one\ntwo\nthr"
	if _, err := f.WriteAt([]byte(text), size-int64(len(text))); err != nil {
		t.Fatal(err)
	}
	r := &lastBlocks{ReaderAt: f}
	if got, err := wholeLength(r, size); err != nil || got != size-3 {
		t.Errorf("got %d, %v; want %d", got, err, size-3)
	}
	if r.read > blockSize {
		t.Errorf("%d bytes were read", r.read)
	}
}

func FuzzWholeLength(f *testing.F) {
	for _, s := range []string{"", "one\ntwo\n", "one\ntw", "one\n\x00\x00", "a\x00\nb\n", "one\n\x01"} {
		f.Add([]byte(s), 0, 0)
	}
	f.Add([]byte("one\nt"), blockSize, 2*blockSize)
	f.Fuzz(func(t *testing.T, b []byte, x, zeros int) {
		// Around the edges of blocks, which the engine would hardly reach.
		b = append(b, bytes.Repeat([]byte("x"), abs(x)%(blockSize+9))...)
		b = append(b, make([]byte, abs(zeros)%(2*blockSize+9))...)
		n, err := wholeLength(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, ErrNotText) {
				t.Fatal(err)
			}
			return
		}
		if want := slowWholeLength(b); n != want {
			t.Fatalf("got %d, want %d", n, want)
		}
	})
}

func abs(n int) int { return max(n, -(n + 1)) }

// slowWholeLength is wholeLength as one would say it: up to the last line with
// a newline and without a zero byte.
func slowWholeLength(b []byte) int64 {
	var whole, at int64
	for line := range bytes.Lines(b) {
		at += int64(len(line))
		if bytes.HasSuffix(line, []byte("\n")) && !bytes.Contains(line, []byte{0}) {
			whole = at
		}
	}
	return whole
}
