package serve

import (
	"os/user"
	"strconv"
	"sync"
)

const (
	// maxGuests is how many connections there are at most, and maxOfOne how many of
	// one address or user. Without a limit a process runs out of files, also for the
	// meter.
	maxGuests = 800
	maxOfOne  = 600
)

// ofOne returns how many of so many readers may be of one address or user: the rest is
// kept for others.
func ofOne(readers int) int { return (4*readers + 4) / 5 }

// A crowd is what there is of many peers, within limits.
type crowd struct {
	most      int // of all
	mostOfOne int

	mu  sync.Mutex
	all int
	of  map[any]int
}

// enter counts one more of a peer, and returns what ends that. Where there are too
// many leave is nil, and crowded whether they are all of this one peer.
func (c *crowd) enter(peer any) (leave func(), crowded bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= c.most {
		return nil, false
	}
	if c.of[peer] >= c.mostOfOne {
		return nil, true
	}
	if c.of == nil {
		c.of = make(map[any]int)
	}
	c.all++
	c.of[peer]++
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all--
		if c.of[peer]--; c.of[peer] == 0 {
			delete(c.of, peer)
		}
	}), false
}

// count returns how many there are.
func (c *crowd) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

// userNames remembers what users are called.
type userNames struct {
	mu    sync.Mutex
	names map[int]string
}

// maxUsers is how many are remembered.
const maxUsers = 1000

// name returns what a user is called, or its number.
func (u *userNames) name(uid int) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if name, ok := u.names[uid]; ok {
		return name
	}
	name := strconv.Itoa(uid)
	if found, err := user.LookupId(name); err == nil {
		name = found.Username
	}
	if u.names == nil || len(u.names) >= maxUsers {
		u.names = make(map[int]string)
	}
	u.names[uid] = name
	return name
}
