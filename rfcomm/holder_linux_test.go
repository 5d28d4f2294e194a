package rfcomm

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// link makes a symbolic link of a test's file system.
func link(to string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
}

const rfcommHeading = "sk               RefCnt Rmem   Wmem   User   Inode  Parent\n"

func TestHolders(t *testing.T) {
	const self = 77
	files := fstest.MapFS{
		"proc/net/rfcomm": text(rfcommHeading +
			"0000000000000000 2      0      0      0      501    0     \n" +
			"0000000000000000 2      0      0      1000   502    0     \n" +
			"0000000000000000 2      0      0      1001   503    0     \n" +
			"0000000000000000 2      0      0      1001   504    0     \n" +
			"0000000000000000 2      0      0      1000   505    0     \n" +
			"0000000000000000 2      0      0      1000   0      0     \n" +
			"torn line\n"),
		"proc/123/stat": text("123 (my (tool)) S 1 1 1 0\n"),
		"proc/123/fd/0": link("/dev/null"),
		"proc/123/fd/5": link("socket:[502]"),
		"proc/123/fd/6": link("socket:[502]"),
		"proc/123/fd/7": link("socket:[999]"),
		"proc/124/stat": text("124 (gone) Z 1 1 1 0\n"),
		"proc/77/stat":  text("77 (powerspy) R 1 1 1 0\n"),
		"proc/77/fd/3":  link("socket:[505]"),
	}
	got, err := (&host{files: files}).holders(self)
	if err != nil {
		t.Fatal(err)
	}
	want := []Holder{{UID: 1000, PID: 123, Name: "my (tool)"}, {UID: 1001}, {UID: 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unexpected holders (-want +got):\n%s", diff)
	}
}

func TestHoldersWithoutTable(t *testing.T) {
	if got, err := (&host{files: fstest.MapFS{}}).holders(1); !errors.Is(err, fs.ErrNotExist) || got != nil {
		t.Errorf("no table: got %v, %v", got, err)
	}
	strange := fstest.MapFS{"proc/net/rfcomm": text("something else\n1 2 3\n")}
	if got, err := (&host{files: strange}).holders(1); err == nil || got != nil {
		t.Errorf("unknown table: got %v, %v", got, err)
	}
	empty := fstest.MapFS{"proc/net/rfcomm": text(rfcommHeading)}
	if got, err := (&host{files: empty}).holders(1); err != nil || len(got) != 0 {
		t.Errorf("nobody: got %v, %v", got, err)
	}
}
