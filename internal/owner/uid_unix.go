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

// gone reports whether there is no process of this number any more.
func (h Holder) gone() bool {
	return h.PID > 0 && syscall.Kill(h.PID, 0) == syscall.ESRCH
}
