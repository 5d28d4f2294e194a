//go:build unix

package owner

import (
	"io/fs"
	"syscall"
)

// uidOf returns the owner of a file.
func uidOf(info fs.FileInfo) (int, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}
