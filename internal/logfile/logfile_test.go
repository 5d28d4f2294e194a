package logfile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func mustOpen(t *testing.T, path string, config Config) *File {
	t.Helper()
	f, err := Open(t.Context(), path, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	})
	return f
}

var errClaimed = errors.New("claimed")

// claims returns a Config.Claim that knows of all claims of a test.
func claims() func(string) (func() error, error) {
	var mu sync.Mutex
	held := map[string]bool{}
	return func(key string) (func() error, error) {
		mu.Lock()
		defer mu.Unlock()
		if held[key] {
			return nil, errClaimed
		}
		held[key] = true
		return func() error {
			mu.Lock()
			defer mu.Unlock()
			delete(held, key)
			return nil
		}, nil
	}
}

func write(t *testing.T, w io.Writer, lines string) {
	t.Helper()
	if n, err := io.WriteString(w, lines); n != len(lines) || err != nil {
		t.Fatalf("write: %d, %v", n, err)
	}
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", filepath.Base(path), got, err, want)
	}
}

func mustClose(t *testing.T, f *File) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A crash may leave any part of what was written.
func TestOpenAfterCrash(t *testing.T) {
	const text = "1 one\n\n2 two\n3 three\n"
	path := filepath.Join(t.TempDir(), "out")
	for _, tail := range []string{"", "\x00", strings.Repeat("\x00", 4096)} {
		for n := range len(text) + 1 {
			if err := os.WriteFile(path, []byte(text[:n]+tail), 0o600); err != nil {
				t.Fatal(err)
			}
			whole := text[:strings.LastIndexByte(text[:n], '\n')+1]
			f := mustOpen(t, path, Config{})
			if got, want := f.Cut(), int64(n-len(whole)+len(tail)); got != want {
				t.Errorf("%d bytes of the text, %d zeros: cut %d, want %d", n, len(tail), got, want)
			}
			holds(t, path, whole)
			write(t, f, "4 four\n")
			mustClose(t, f)
			holds(t, path, whole+"4 four\n")
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct {
		path, text string
		want       error
		root       bool // root gets this error too
	}{
		{dir, "", unix.EISDIR, true},
		{filepath.Join(dir, "none", "out"), "", fs.ErrNotExist, true},
		{file("readonly", "one", 0o400), "", fs.ErrPermission, false},
		{file("writeonly", "one", 0o200), "to read it", fs.ErrPermission, false},
		{file("picture", "one\n\x01\x02", 0o600), "", ErrNotText, true},
	} {
		f, err := Open(t.Context(), tt.path, Config{})
		if err == nil {
			mustClose(t, f)
		}
		if os.Getuid() == 0 && !tt.root {
			continue
		}
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: got %v, want %v with %q", tt.path, err, tt.want, tt.text)
		}
		var none *NoDirectoryError
		if errors.As(err, &none) != (tt.want == fs.ErrNotExist) || none != nil && none.Directory != filepath.Join(dir, "none") {
			t.Errorf("%s: missing directory: %+v", tt.path, none)
		}
	}
	holds(t, filepath.Join(dir, "picture"), "one\n\x01\x02")
}

// What another writer has written half is not a torn line.
func TestOpenBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	config := Config{Claim: claims()}
	f := mustOpen(t, path, config)
	if _, err := f.now.file.WriteString("hal"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + ".link"} {
		if name != path {
			if err := os.Link(path, name); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(t.Context(), name, config); !errors.Is(err, errClaimed) {
			t.Fatalf("%s: got %v, want %v", name, err, errClaimed)
		}
	}
	holds(t, path, "hal")
	mustClose(t, f)
	if g := mustOpen(t, path, config); g.Cut() != 3 {
		t.Errorf("cut %d, want 3", g.Cut())
	}
}

// A file that is moved away before it is locked is not the one to write to, nor
// to mend: whoever moved it has it now.
func TestMovedBeforeLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(path, []byte("hal"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	move(t, path, path+".1")
	for range 2 { // no file, another file
		if o, again, err := new(Config).prepare(f, path, nil); o != nil || !again || err != nil {
			t.Errorf("got %v, %t, %v", o, again, err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	holds(t, path+".1", "hal")
}

func TestWriteHalfALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	f := mustOpen(t, path, Config{})
	for _, s := range []string{"", "half", "one\nhalf"} {
		if _, err := io.WriteString(f, s); err == nil {
			t.Errorf("%q was written", s)
		}
	}
	holds(t, path, "")
	mustClose(t, f)
	if _, err := io.WriteString(f, "one\n"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("got %v, want %v", err, fs.ErrClosed)
	}
	if err := f.Reopen(t.Context()); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("got %v, want %v", err, fs.ErrClosed)
	}
}

// limit bounds the size of files: a write beyond it is short, and the next one
// fails, as on a full disk. That holds for all this process writes, also for
// what package testing notes of files that are opened meanwhile.
func limit(t *testing.T, size uint64) (lift func()) {
	t.Helper()
	signal.Ignore(unix.SIGXFSZ)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	now := before
	now.Cur = size
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &now); err != nil {
		t.Fatal(err)
	}
	lift = func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(lift)
	return lift
}

func TestNoSpace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	f := mustOpen(t, path, Config{})
	f.SetHeader([]byte("head\n"))
	has := func(want string) { // opens nothing
		t.Helper()
		got := make([]byte, 100)
		n, err := f.now.file.ReadAt(got, 0)
		if err != io.EOF || string(got[:n]) != want {
			t.Errorf("the file holds %q, %v; want %q", got[:n], err, want)
		}
	}
	lift := limit(t, 7)
	// Not even the header stays without its line.
	for range 2 {
		if n, err := io.WriteString(f, "one\n"); n != 0 || err != unix.EFBIG {
			t.Fatalf("got %d, %v", n, err)
		}
		has("")
	}
	lift()
	write(t, f, "one\n")
	lift = limit(t, 12)
	for range 2 {
		if n, err := io.WriteString(f, "three\n"); n != 0 || err != unix.EFBIG {
			t.Fatalf("got %d, %v", n, err)
		}
		has("head\none\n")
	}
	write(t, f, "02\n")
	lift()
	write(t, f, "three\n")
	holds(t, path, "head\none\n02\nthree\n")
}

// Half a line is cut off later when it can't be at once, and nothing is written
// behind it until then; but what somebody else has written behind it stays.
func TestMend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	for _, tt := range []struct{ name, behind, want string }{
		{"later", "", "one\ntwo\n"},
		{"written behind", "x\n", "one\ntwx\ntwo\n"},
	} {
		f := mustOpen(t, path, Config{})
		write(t, f, "one\n")
		readonly, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.now.file.WriteString("tw"); err != nil {
			t.Fatal(err)
		}
		good := f.now.file
		if _, err := readonly.Seek(0, io.SeekEnd); err != nil {
			t.Fatal(err)
		}
		f.now.file = readonly // can't be cut
		if err := f.now.failed(2); !errors.Is(err, unix.EINVAL) {
			t.Fatalf("got %v", err)
		}
		if _, err := io.WriteString(f, "two\n"); !errors.Is(err, unix.EINVAL) {
			t.Fatalf("got %v", err)
		}
		f.now.file = good
		if err := readonly.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := good.WriteString(tt.behind); err != nil {
			t.Fatal(err)
		}
		write(t, f, "two\n")
		holds(t, path, tt.want)
		mustClose(t, f)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDeviceIsNotMended(t *testing.T) {
	f := mustOpen(t, "/dev/full", Config{})
	if _, err := io.WriteString(f, "one\n"); err != unix.ENOSPC {
		t.Errorf("got %v, want %v", err, unix.ENOSPC)
	}
	null := mustOpen(t, "/dev/null", Config{})
	write(t, null, "one\n")
	if err := null.Reopen(t.Context()); err != nil {
		t.Error(err)
	}
	mustOpen(t, "/dev/null", Config{}) // is locked by nobody
}

func TestNamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, path, Config{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("nobody reads: got %v", err)
	}
	r, err := os.OpenFile(path, os.O_RDWR, 0) // opens without a writer
	if err != nil {
		t.Fatal(err)
	}
	f := mustOpen(t, path, Config{})
	// More than a pipe holds: Write waits for the reader.
	const lines = 20000
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := range lines {
			if _, err := fmt.Fprintf(f, "%d\n", i); err != nil {
				t.Error(err)
				break
			}
		}
		if err := errors.Join(f.Reopen(t.Context()), f.Close()); err != nil {
			t.Error(err)
		}
	})
	s := bufio.NewScanner(r)
	for i := 0; i < lines && s.Scan(); i++ {
		if s.Text() != fmt.Sprint(i) {
			t.Fatalf("line %d is %q", i, s.Text())
		}
	}
	wait.Wait()
	if err := errors.Join(s.Err(), r.Close()); err != nil {
		t.Error(err)
	}
}
