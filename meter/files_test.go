package meter

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
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
			if err := m.FetchFile(t.Context(), f, filepath.Join(dir, f.Name), nil); err != nil || !HasFile(dir, f) {
				t.Errorf("%v: %v", f, err)
			}
		}
		if _, err := m.File(t.Context(), "NONE00.DAT"); !errors.Is(err, ErrNoFile) {
			t.Errorf("got %v", err)
		}

		// Interrupted: the old file stays, nothing else is left, the meter works.
		last := list.Files[7]
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		half := filepath.Join(t.TempDir(), "half.DAT")
		err = m.FetchFile(ctx, last, half, func(n int64) {
			if n > 10000 {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: got %v", err)
		}
		if left, err := os.ReadDir(filepath.Dir(half)); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		if _, err := m.Client().Identity(t.Context()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}
