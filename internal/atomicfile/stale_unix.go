//go:build unix

package atomicfile

import (
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"

	"powerspy2/internal/flock"
)

// A writer holds a lock on its temporary file, which ends with it, however it
// ends. So what is not locked was left behind by one that was killed.

// random is what package renameio puts behind the name.
var random = regexp.MustCompile(`^[0-9]{6,19}$`)

// hold takes the lock. That a file system has none is not a failure: its leftovers
// stay.
func hold(f *os.File) { _, _ = flock.Try(f) }

// sweep removes the temporary files that killed writers of a file left behind.
// What it can't remove is no reason not to write.
func sweep(name string) {
	prefix := "." + filepath.Base(name)
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return
	}
	for _, e := range entries {
		if len(e.Name()) <= len(prefix) || e.Name()[:len(prefix)] != prefix || !random.MatchString(e.Name()[len(prefix):]) || !e.Type().IsRegular() {
			continue
		}
		removeStale(filepath.Join(filepath.Dir(name), e.Name()))
	}
}

func removeStale(path string) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if taken, err := flock.Try(f); err == nil && taken {
		_ = os.Remove(path)
	}
}
