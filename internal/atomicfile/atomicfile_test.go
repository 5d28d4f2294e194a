package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// A file that is written whole has the rights of any new file.
func TestWrite(t *testing.T) {
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
	for _, content := range []string{"first", "second"} {
		if err := Check(name); err != nil {
			t.Error(err)
		}
		if err := Write(name, 0o666, text(content)); err != nil {
			t.Error(err)
		}
		if got, err := os.ReadFile(name); string(got) != content {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if got, err := os.Stat(name); err != nil || got.Mode() != want.Mode() {
		t.Errorf("the rights are %v, %v, want %v", got.Mode(), err, want.Mode())
	}
	if left, err := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// When the content fails, the old one stays and nothing is left behind.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := Write(name, 0o666, func(w io.Writer) error {
		return errors.Join(text("half")(w), broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if got, err := os.ReadFile(name); string(got) != "old" {
		t.Errorf("got %q, %v", got, err)
	}
	if left, err := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What can't be written is told by its own name, before as well as after.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink("nowhere", dangling); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		filepath.Join(dir, "none", "f"): "no such file or directory",
		dir:                             "not a regular file",
		os.DevNull:                      "not a regular file",
		dangling:                        "a symbolic link that leads nowhere",
	} {
		for _, err := range []error{Check(name), Write(name, 0o666, text(""))} {
			var p *fs.PathError
			if !errors.As(err, &p) || p.Path != name || p.Err.Error() != want {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		}
	}
}

// A symbolic link, such as that of a dotfile, stays one.
func TestWriteLink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(real, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	if err := Write(link, 0o600, text("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(real); string(got) != "new" {
		t.Errorf("got %q, %v", got, err)
	}
	if to, err := os.Readlink(link); to != "real" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
}
