package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestReopen(t *testing.T) {
	config := Config{Claim: claims()}
	dir := t.TempDir()
	path, old := filepath.Join(dir, "out"), filepath.Join(dir, "out.1")
	f := mustOpen(t, path, config)
	f.SetHeader([]byte("head\n"))
	write(t, f, "one\n")
	// Still there: nothing changes.
	if err := f.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, f, "two\n")
	move(t, path, old)
	write(t, f, "three\n")
	if err := f.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	holds(t, old, "head\none\ntwo\nthree\n")
	write(t, f, "four\n")
	write(t, f, "five\n")
	holds(t, path, "head\nfour\nfive\n")
	mustOpen(t, old, config) // nobody holds it any more
	if _, err := Open(t.Context(), path, config); !errors.Is(err, errClaimed) {
		t.Errorf("got %v, want %v", err, errClaimed)
	}
	// Copied and made empty, another way to rotate.
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, f, "six\n")
	holds(t, path, "head\nsix\n")
	// A file that is there already is continued, its torn line cut.
	move(t, path, old)
	if err := os.WriteFile(path, []byte("head\nseven\neig"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.Cut() != 3 {
		t.Errorf("cut %d, want 3", f.Cut())
	}
	write(t, f, "eight\n")
	holds(t, path, "head\nseven\neight\n")
}

func TestReopenFails(t *testing.T) {
	config := Config{Claim: claims()}
	dir := t.TempDir()
	logs, old := filepath.Join(dir, "logs"), filepath.Join(dir, "old")
	if err := os.Mkdir(logs, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(logs, "out")
	f := mustOpen(t, path, config)
	write(t, f, "one\n")
	move(t, logs, old)
	if err := f.Reopen(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	write(t, f, "two\n")
	holds(t, filepath.Join(old, "out"), "one\ntwo\n")
	if err := os.Mkdir(logs, 0o700); err != nil {
		t.Fatal(err)
	}
	other := mustOpen(t, path, config)
	if err := f.Reopen(t.Context()); !errors.Is(err, errClaimed) {
		t.Fatalf("got %v", err)
	}
	mustClose(t, other)
	if err := f.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, f, "three\n")
	holds(t, path, "three\n")
}

// Rotation while lines are written: each of them is in one file, in order.
func TestReopenWhileWriting(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	f := mustOpen(t, path, Config{Sync: time.Nanosecond, fsync: func(*os.File) error { return nil }})
	f.SetHeader([]byte("head\n"))
	const lines, rotations = 20000, 20
	progress := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		defer close(progress)
		for i := range lines {
			if i%(lines/rotations) == 0 {
				progress <- struct{}{}
			}
			if _, err := fmt.Fprintf(f, "%d\n", i); err != nil {
				t.Error(err)
				return
			}
		}
	})
	var files []string
	for range progress {
		files = append(files, fmt.Sprintf("%s.%d", path, len(files)))
		move(t, path, files[len(files)-1])
		if err := f.Reopen(t.Context()); err != nil {
			t.Error(err)
		}
	}
	writer.Wait()
	var got []string
	for _, name := range append(files, path) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rest, ok := strings.CutPrefix(string(text), "head\n")
		if !ok && len(text) > 0 {
			t.Errorf("%s begins with %.10q", name, text)
		}
		got = append(got, strings.Fields(rest)...)
	}
	want := make([]string, lines)
	for i := range want {
		want[i] = fmt.Sprint(i)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d lines, wrote %d, or they differ", len(got), len(want))
	}
}

// synced is a disk that notes when a file was forced to it.
type synced struct {
	mu    sync.Mutex
	began time.Time
	at    []string
	fail  error
}

func (s *synced) fsync(f *os.File) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, fmt.Sprintf("%s %v", filepath.Base(f.Name()), time.Since(s.began)))
	return s.fail
}

func (s *synced) failing(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// take returns what was noted since it was called last.
func (s *synced) take() string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.at = nil }()
	return strings.Join(s.at, ", ")
}

func TestSync(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "out")
	synctest.Test(t, func(t *testing.T) {
		disk := &synced{began: time.Now()}
		expect := func(want string) {
			t.Helper()
			if got := disk.take(); got != want {
				t.Errorf("synced %q, want %q", got, want)
			}
		}
		f, err := Open(t.Context(), path, Config{Sync: 5 * time.Second, fsync: disk.fsync})
		if err != nil {
			t.Fatal(err)
		}
		expect("dir 0s") // the name of the new file
		time.Sleep(time.Minute)
		expect("") // nothing was written
		write(t, f, "one\n")
		time.Sleep(time.Second)
		write(t, f, "two\n")
		time.Sleep(time.Minute)
		expect("out 1m5s") // also when nothing follows
		for range 12 {
			write(t, f, "three\n")
			time.Sleep(1100 * time.Millisecond)
		}
		expect("out 2m6s, out 2m11.5s")
		time.Sleep(time.Minute)
		expect("out 2m17s")

		write(t, f, "four\n")
		move(t, path, path+".1")
		if err := f.Reopen(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect("dir 3m14.2s, out 3m14.2s")
		time.Sleep(time.Minute)
		expect("") // nothing new

		disk.failing(errors.New("the disk is broken"))
		write(t, f, "five\n")
		time.Sleep(time.Minute)
		disk.failing(nil)
		if n, err := f.Write([]byte("six\n")); n != 4 || err == nil || err.Error() != "flushing it to the disk: the disk is broken" {
			t.Errorf("got %d, %v", n, err)
		}
		write(t, f, "seven\n")
		disk.take()
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		expect("out 5m14.2s")
		holds(t, path, "five\nsix\nseven\n")
	})
}

// Without Sync the disk is left alone.
func TestNoSync(t *testing.T) {
	disk := &synced{began: time.Now()}
	f := mustOpen(t, filepath.Join(t.TempDir(), "out"), Config{fsync: disk.fsync})
	write(t, f, "one\n")
	move(t, f.path, f.path+".1")
	if err := f.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, f)
	if len(disk.at) > 0 {
		t.Errorf("synced %v", disk.at)
	}
}
