package patherr

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestBare(t *testing.T) {
	plain := errors.New("plain")
	path := &fs.PathError{Op: "open", Path: "/f", Err: fs.ErrPermission}
	for _, tt := range []struct{ err, want error }{
		{nil, nil}, {plain, plain}, {path, fs.ErrPermission}, {fmt.Errorf("read it: %w", path), fs.ErrPermission},
	} {
		if got := Bare(tt.err); got != tt.want {
			t.Errorf("of %v: got %v, want %v", tt.err, got, tt.want)
		}
	}
}
