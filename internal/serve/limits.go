package serve

import (
	"os/user"
	"strconv"
	"sync"
)

// slots are what there is a limited number of.
type slots struct {
	mu   sync.Mutex
	free int
}

// take takes one, and returns how to give it back; nil: there is none left.
func (s *slots) take() (give func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 {
		return nil
	}
	s.free--
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.free++
	}
}

// left returns how many there are left.
func (s *slots) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free
}

const (
	// maxGuests is how many connections there are at most, and maxOfOne how many of
	// one address or user. Without a limit a process runs out of files, also for the
	// meter.
	maxGuests = 800
	maxOfOne  = 600
)

// guests are the connections that there are.
type guests struct {
	mu  sync.Mutex
	all int
	of  map[any]int
}

// enter counts one more of a peer, and returns what ends that; nil: there are too
// many.
func (g *guests) enter(peer any) (leave func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all >= maxGuests || g.of[peer] >= maxOfOne {
		return nil
	}
	if g.of == nil {
		g.of = make(map[any]int)
	}
	g.all++
	g.of[peer]++
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.all--
		if g.of[peer]--; g.of[peer] == 0 {
			delete(g.of, peer)
		}
	})
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
