package logfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// What a check sees of a file.
func TestContent(t *testing.T) {
	long := strings.Repeat("x", 3*longestLine)
	for _, tt := range []struct {
		name, text string
		want       Content
	}{
		{"whole", "head\none\ntwo\n", Content{Head: []byte("head\none\ntwo\n"), Last: []byte("two")}},
		{"torn", "head\none\ntw", Content{Head: []byte("head\none\n"), Last: []byte("one"), Torn: []byte("tw")}},
		{"zeros", "head\no\x00\x00ne\n", Content{Head: []byte("head\n"), Last: []byte("head"), Torn: []byte("o")}},
		{"no whole line", "he", Content{Torn: []byte("he")}},
		{"long lines", long + "\n" + long + "\n", Content{Head: []byte(long[:longestLine]), Last: []byte(long[:longestLine-1])}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var got Content
			f := mustOpen(t, path, Config{Check: func(c Content) error { got = c; return nil }})
			for _, c := range []Content{got, f.Content()} {
				if diff := cmp.Diff(tt.want, c, cmp.Transformer("text", func(b []byte) string { return string(b) })); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
		})
	}
}

// A file that is refused stays as it is, and is nobody's.
func TestCheckRefuses(t *testing.T) {
	dir := t.TempDir()
	path, notebook := filepath.Join(dir, "out"), `{"cells": []}`
	refused := errors.New("refused")
	config := Config{Mark: "mine", Claim: claims(), Check: func(c Content) error {
		if string(c.Torn) == notebook {
			return refused
		}
		return nil
	}}
	f := mustOpen(t, path, config) // a new file is asked nothing about
	write(t, f, "one\n")
	move(t, path, path+".1")
	if err := os.WriteFile(path, []byte(notebook), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Open(t.Context(), path, config); !errors.Is(err, refused) {
			t.Errorf("open: got %v", err)
		}
		if err := f.Reopen(t.Context()); !errors.Is(err, refused) {
			t.Errorf("reopen: got %v", err)
		}
	}
	write(t, f, "two\n")
	holds(t, path, notebook)
	holds(t, path+".1", "one\ntwo\n")
}

// A mark stays with a file that is moved and appended to, where marks are kept.
func TestMark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	want := "mine"
	if err := os.WriteFile(path+".probe", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setxattr(path+".probe", markName, []byte("x"), 0); err != nil {
		want = "" // files are told by their lines alone
	}
	f := mustOpen(t, path, Config{Mark: "mine"})
	write(t, f, "one\n")
	mustClose(t, f)
	move(t, path, path+".1")
	if f = mustOpen(t, path+".1", Config{Mark: "other"}); f.Content().Mark != want {
		t.Errorf("got the mark %q, want %q", f.Content().Mark, want)
	}
}

// Whoever may only read a file can't keep its owner from writing.
func TestReadersLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(path, []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for _, how := range []int{unix.LOCK_SH, unix.LOCK_EX} {
		if err := unix.Flock(int(reader.Fd()), how|unix.LOCK_NB); err != nil {
			t.Fatal(err)
		}
		f := mustOpen(t, path, Config{Claim: claims()})
		write(t, f, "two\n")
		mustClose(t, f)
	}
	holds(t, path, "one\ntwo\ntwo\n")
}
