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
