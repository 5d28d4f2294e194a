package meter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"powerspy2/powerspy/sim"
)

func TestFetchFile(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m, err := Open(t.Context(), Config{Target: mustParse(t, "sim:files=0/1/2046/2047/2048/4094/5000/100000,lose=0.02")})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		list, err := m.Files(t.Context())
		if err != nil || len(list.Files) != 8 {
			t.Fatalf("got %v, %v", list, err)
		}
		for _, f := range list.Files {
			local := filepath.Join(dir, f.Name)
			var content bytes.Buffer
			if err := m.FetchFile(t.Context(), f, &content, nil); err != nil {
				t.Errorf("%v: %v", f, err)
			}
			if err := os.WriteFile(local, content.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			if found, err := m.CompareFile(t.Context(), f, local); found != WholeCopy || err != nil {
				t.Errorf("%v: a copy of kind %v, %v", f, found, err)
			}
		}
		if _, err := m.File(t.Context(), "NONE00.DAT"); !errors.Is(err, ErrNoFile) || !errors.Is(err, ErrUsage) {
			t.Errorf("got %v", err)
		}

		// Whatever ends it, the meter works.
		last := list.Files[7]
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err = m.FetchFile(ctx, last, io.Discard, func(n int64) {
			if n > 10000 {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: got %v", err)
		}
		full := &fs.PathError{Op: "write", Path: "f", Err: syscall.ENOSPC}
		if err := m.FetchFile(t.Context(), last, failingWriter{full}, nil); err != error(full) {
			t.Errorf("full disk: got %v", err)
		}
		if _, err := m.Client().Identity(t.Context()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// What a file is a copy of is told by its beginning, too: a day's log may have
// been removed and begun again.
func TestCompareFile(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		device := sim.New(sim.DefaultConfig())
		content := strings.Repeat("a day's first log\n", 500)
		other := strings.Repeat("the second of it.\n", 500)
		device.SetFiles([]sim.File{{Name: "120906.DAT", Content: []byte(content)}})
		link, err := device.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m, err := OpenLink(t.Context(), link)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		f, err := m.File(t.Context(), "120906.dat")
		if err != nil {
			t.Fatal(err)
		}
		local := filepath.Join(dir, "copy")
		for _, tt := range []struct {
			name, local string
			want        Copy
		}{
			{"empty", "", PartCopy},
			{"a byte", content[:1], PartCopy},
			{"a block", content[:2046], PartCopy},
			{"most", content[:8999], PartCopy},
			{"all", content, WholeCopy},
			{"more", content + "x", OtherCopy},
			{"another of that size", other, OtherCopy},
			{"another of a byte", other[:1], OtherCopy},
		} {
			if err := os.WriteFile(local, []byte(tt.local), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := m.CompareFile(t.Context(), f, local); got != tt.want || err != nil {
				t.Errorf("%s: got %v, %v, want %v", tt.name, got, err, tt.want)
			}
		}
		symlink := filepath.Join(dir, "link")
		if err := os.Symlink(local, symlink); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]error{filepath.Join(dir, "none"): nil, dir: ErrNotACopy, symlink: ErrNotACopy} {
			if got, err := m.CompareFile(t.Context(), f, name); got != NoCopy || !errors.Is(err, want) {
				t.Errorf("%s: got %v, %v, want %v", name, got, err, want)
			}
		}
		if _, err := m.Client().Identity(t.Context()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}
