//go:build unix

package atomicfile

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What a killed writer left behind goes when the file is written the next time;
// what a living one is writing, and what is like it only by name, stays.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "120901.DAT")
	leave := func(base string) {
		if err := os.WriteFile(filepath.Join(dir, base), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leave(".120901.DAT1234567890123456789")
	leave(".120902.DAT1234567890123456789") // of another file
	leave(".120901.DAT1")
	leave(".120901.DATbackup123456789")
	kept := []string{".120901.DAT1", ".120901.DATbackup123456789", ".120902.DAT1234567890123456789"}
	err := Write(name, 0o600, func(w io.Writer) error {
		return Write(name, 0o600, text("second"))
	})
	if err != nil {
		t.Fatal(err)
	}
	kept = append(kept, "120901.DAT")
	slices.Sort(kept)
	var got []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, kept) {
		t.Errorf("there are %q, want %q", got, kept)
	}
}
