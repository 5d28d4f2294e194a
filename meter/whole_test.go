package meter

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that is written whole has the rights of any new file.
func TestWriteWhole(t *testing.T) {
	dir := t.TempDir()
	usual, err := os.Create(filepath.Join(dir, "usual"))
	if err != nil {
		t.Fatal(err)
	}
	defer usual.Close()
	want, err := usual.Stat()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "whole")
	for _, text := range []string{"first", "second"} {
		if err := CanWrite(name); err != nil {
			t.Error(err)
		}
		if err := WriteWhole(name, strings.NewReader(text)); err != nil {
			t.Error(err)
		}
		if got, err := os.ReadFile(name); string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if got, err := os.Stat(name); err != nil || got.Mode() != want.Mode() {
		t.Errorf("the rights are %v, %v, want %v", got.Mode(), err, want.Mode())
	}
	if left, err := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("there are %v, %v", left, err)
	}
}

// What can't be written is told by its own name, before as well as after.
func TestCanWrite(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		filepath.Join(dir, "none", "f"): "no such file or directory",
		dir:                             "not a regular file",
		os.DevNull:                      "not a regular file",
	} {
		for _, err := range []error{CanWrite(name), WriteWhole(name, strings.NewReader(""))} {
			var p *fs.PathError
			if !errors.As(err, &p) || p.Path != name || p.Err.Error() != want {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		}
	}
}
