package rfcomm

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

func holders() ([]Holder, error) { return system.holders(os.Getpid()) }

func (h *host) holders(self int) ([]Holder, error) {
	sockets, err := h.sockets()
	if err != nil || len(sockets) == 0 {
		return nil, err
	}
	var list []Holder
	own := map[uint64]bool{}
	h.eachSocket(func(pid int, inode uint64) {
		uid, ok := sockets[inode]
		switch {
		case !ok:
		case pid == self:
			own[inode] = true
		default:
			own[inode] = true
			name, _, err := h.process(strconv.Itoa(pid))
			if err == nil {
				list = append(list, Holder{UID: uid, PID: pid, Name: name})
			}
		}
	})
	for inode, uid := range sockets {
		if !own[inode] {
			list = append(list, Holder{UID: uid})
		}
	}
	slices.SortFunc(list, func(a, b Holder) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(a.PID, b.PID), cmp.Compare(a.UID, b.UID))
	})
	return slices.Compact(list), nil
}

// rank orders holders by how much they tell.
func rank(h Holder) int {
	switch {
	case h.PID != 0:
		return 0
	case h.UID != 0:
		return 1
	}
	return 2
}

// sockets returns the user of each RFCOMM socket by its inode.
func (h *host) sockets() (map[uint64]uint32, error) {
	const table = "proc/net/rfcomm"
	text, err := fs.ReadFile(h.files, table)
	if err != nil {
		return nil, fmt.Errorf("rfcomm: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Scan()
	heading := strings.Fields(lines.Text())
	user, inode := slices.Index(heading, "User"), slices.Index(heading, "Inode")
	if user < 0 || inode < 0 {
		return nil, fmt.Errorf("rfcomm: unknown heading %q in /%s", lines.Text(), table)
	}
	sockets := map[uint64]uint32{}
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) <= max(user, inode) {
			continue
		}
		uid, uerr := strconv.ParseUint(fields[user], 10, 32)
		ino, ierr := strconv.ParseUint(fields[inode], 10, 64)
		// A socket that is being closed has no inode any more.
		if uerr == nil && ierr == nil && ino != 0 {
			sockets[ino] = uint32(uid)
		}
	}
	return sockets, lines.Err()
}

// eachSocket calls found for each socket that a process which this user may
// look into has open. What can't be read is left out.
func (h *host) eachSocket(found func(pid int, inode uint64)) {
	links, err := fs.Glob(h.files, "proc/[0-9]*/fd/*")
	if err != nil {
		return // a malformed pattern, which it is not
	}
	for _, link := range links {
		to, err := fs.ReadLink(h.files, link)
		if err != nil {
			continue
		}
		text, ok := strings.CutPrefix(to, "socket:[")
		if !ok {
			continue
		}
		inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64)
		pid, perr := strconv.Atoi(strings.Split(link, "/")[1])
		if err == nil && perr == nil {
			found(pid, inode)
		}
	}
}
