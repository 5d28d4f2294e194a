package owner

import (
	"os"
	"os/user"
	"strconv"
)

// OfFile returns the name of the user whose a file is, "" if that can't be told, and
// whether that is the user of this process.
func OfFile(path string) (name string, mine bool) {
	info, err := os.Stat(path)
	if err != nil {
		return "", false
	}
	uid, ok := uidOf(info)
	if !ok {
		return "", false
	}
	number, mine := strconv.Itoa(uid), uid == os.Getuid()
	if u, err := user.LookupId(number); err == nil {
		return u.Username, mine
	}
	return "user " + number, mine
}
