package owner

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestPlace(t *testing.T) {
	uid := os.Getuid()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	exists := func(path string) bool { _, err := os.Stat(path); return err == nil }
	mkdir := func(t *testing.T, path string, mode os.FileMode) string {
		t.Helper()
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name    string
		prepare func(t *testing.T, dir string) (xdg string)
		want    string // within the directory of the test
		err     string
	}{
		{"the variable", func(t *testing.T, dir string) string { return mkdir(t, dir+"/xdg", 0o700) }, "xdg/powerspy", ""},
		{"no variable, as under cron", func(t *testing.T, dir string) string {
			mkdir(t, filepath.Join(dir, "run", strconv.Itoa(uid)), 0o700)
			return ""
		}, "run/" + strconv.Itoa(uid) + "/powerspy", ""},
		{"no runtime directory", func(t *testing.T, dir string) string { return "" }, "tmp/powerspy-" + strconv.Itoa(uid), ""},
		{"a variable that is no absolute path", func(t *testing.T, dir string) string { return "relative" }, "tmp/powerspy-" + strconv.Itoa(uid), ""},
		{"a variable of something that is not there", func(t *testing.T, dir string) string { return dir + "/absent" }, "tmp/powerspy-" + strconv.Itoa(uid), ""},
		{"a runtime directory that is open to others", func(t *testing.T, dir string) string { return mkdir(t, dir+"/xdg", 0o777) }, "tmp/powerspy-" + strconv.Itoa(uid), ""},
		{"made before", func(t *testing.T, dir string) string {
			mkdir(t, filepath.Join(dir, "tmp", "powerspy-"+strconv.Itoa(uid)), 0o700)
			return ""
		}, "tmp/powerspy-" + strconv.Itoa(uid), ""},
		{"made before, open to others", func(t *testing.T, dir string) string {
			mkdir(t, filepath.Join(dir, "tmp", "powerspy-"+strconv.Itoa(uid)), 0o755)
			return ""
		}, "", "open to other users"},
		{"taken by somebody else", func(t *testing.T, dir string) string {
			if err := os.WriteFile(filepath.Join(dir, "tmp", "powerspy-"+strconv.Itoa(uid)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			mkdir(t, dir+"/home", 0o755)
			return ""
		}, "home/.cache/powerspy/run-" + host, ""},
		{"a symbolic link in its place", func(t *testing.T, dir string) string {
			mkdir(t, dir+"/victim", 0o700)
			if err := os.Symlink(dir+"/victim", filepath.Join(dir, "tmp", "powerspy-"+strconv.Itoa(uid))); err != nil {
				t.Fatal(err)
			}
			return ""
		}, "", "not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			mkdir(t, dir+"/tmp", 0o777)
			xdg := tt.prepare(t, dir)
			getenv := func(name string) string {
				switch home := dir + "/home"; {
				case name == "XDG_RUNTIME_DIR":
					return xdg
				case name == "HOME" && exists(home):
					return home
				}
				return ""
			}
			p := place{getenv: getenv, run: dir + "/run", temp: dir + "/tmp", uid: uid}
			root, err := p.open()
			if tt.err != "" {
				if !errors.Is(err, ErrNoPlace) || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			if got := strings.TrimPrefix(root.Name(), dir+"/"); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// A directory of somebody else's is not used, whatever its mode.
func TestForeignDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// Its mode is not this user's to change, so that is not what is told.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	_, err = private(dir, os.Getuid()+1)
	var place *PlaceError
	if !errors.As(err, &place) || place.Owner != me.Username || place.Path != dir {
		t.Fatalf("got %v", err)
	}
	if want := "lock directory " + dir + ": it belongs to another user, " + me.Username; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
