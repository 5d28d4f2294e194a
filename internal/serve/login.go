package serve

import (
	"context"
	"crypto/sha256"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/time/rate"

	"powerspy2/internal/harmless"
)

type loginKey struct{}

// loginOf returns the login that a request was let in with; "": none.
func loginOf(r *http.Request) string {
	login, _ := r.Context().Value(loginKey{}).(string)
	return login
}

const (
	// attempts is how many wrong passwords may come from an address at once, and
	// forgiven how long it takes until there may be one more.
	attempts = 5
	forgiven = 10 * time.Second

	// maxAddresses is how many addresses are told apart, maxKnown how many logins are
	// remembered.
	maxAddresses = 4096
	maxKnown     = 256
)

// A doorman knows who has logged in, and who has failed to.
type doorman struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]bool
	tries map[netip.Prefix]*rate.Limiter
	rest  *rate.Limiter // of all addresses that are too many
	swept time.Time     // when those that are forgiven were forgotten

	// work is held while a password is checked, which takes a processor for some
	// time: one at once, beside the measurement.
	work sync.Mutex
}

func newDoorman() *doorman {
	return &doorman{
		known: make(map[[sha256.Size]byte]bool), tries: make(map[netip.Prefix]*rate.Limiter),
		rest: newTries(),
	}
}

func newTries() *rate.Limiter { return rate.NewLimiter(rate.Every(forgiven), attempts) }

// An entry is how a login went.
type entry uint8

const (
	welcome entry = iota
	wrong
	tooMany // wrong ones before
)

// check reports how a login goes. With a wrong password it takes as long as with a
// user that there is none of.
func (d *doorman) check(w *WebConfig, user, password string, from netip.Prefix) entry {
	hash, exists := w.users[user]
	if !exists {
		hash = w.decoy
	}
	sum := sha256.New()
	for _, part := range [...]string{user, string(hash), password} {
		sum.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	key := [sha256.Size]byte(sum.Sum(nil))
	d.mu.Lock()
	if d.known[key] {
		d.mu.Unlock()
		return welcome
	}
	tries := d.of(from)
	now := time.Now()
	try := tries.ReserveN(now, 1)
	if !try.OK() || try.DelayFrom(now) > 0 {
		try.CancelAt(now)
		d.mu.Unlock()
		return tooMany
	}
	d.mu.Unlock()

	d.work.Lock()
	err := bcrypt.CompareHashAndPassword(hash, []byte(password))
	d.work.Unlock()
	if err != nil || !exists {
		return wrong
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	try.CancelAt(now) // only wrong ones count
	if len(d.known) >= maxKnown {
		clear(d.known)
	}
	d.known[key] = true
	return welcome
}

// of returns what limits an address.
func (d *doorman) of(from netip.Prefix) *rate.Limiter {
	if l := d.tries[from]; l != nil {
		return l
	}
	if len(d.tries) >= maxAddresses && time.Since(d.swept) >= forgiven {
		d.swept = time.Now()
		for p, l := range d.tries {
			if l.Tokens() >= attempts {
				delete(d.tries, p)
			}
		}
	}
	if len(d.tries) >= maxAddresses {
		return d.rest
	}
	l := newTries()
	d.tries[from] = l
	return l
}

// addressOf returns where a request comes from: one address, or the network that one
// machine usually has.
func addressOf(r *http.Request) netip.Prefix {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// loggedIn lets in over TCP whom the web configuration lets in.
func (s *Server) loggedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := s.web.Load()
		if c == nil || peerFrom(r).kind == Unix {
			next.ServeHTTP(w, r)
			return
		}
		for name, value := range c.headers {
			w.Header().Set(name, value)
		}
		if c.limit != nil && !c.limit.Allow() {
			refuse(w, http.StatusTooManyRequests, "there are more requests than the web configuration allows")
			return
		}
		login := ""
		if t := r.TLS; t != nil && len(t.VerifiedChains) > 0 {
			login = harmless.Text(t.VerifiedChains[0][0].Subject.CommonName)
			if login == "" {
				login = "a client certificate"
			}
		}
		if len(c.users) > 0 {
			user, password, ok := r.BasicAuth()
			if !ok {
				s.unwelcome(w, "a user name and a password are needed")
				return
			}
			switch s.doorman.check(c, user, password, addressOf(r)) {
			case wrong:
				s.unwelcome(w, "the user name or the password is wrong")
				return
			case tooMany:
				w.Header().Set("Retry-After", strconv.Itoa(int(forgiven.Seconds())))
				refuse(w, http.StatusTooManyRequests, "there were too many wrong passwords from this address")
				return
			}
			login = harmless.Text(user)
		}
		if login != "" {
			r = r.WithContext(context.WithValue(r.Context(), loginKey{}, login))
		}
		next.ServeHTTP(w, r)
	})
}

// unwelcome asks for a password.
func (s *Server) unwelcome(w http.ResponseWriter, why string) {
	w.Header().Set("WWW-Authenticate", `Basic realm="powerspy", charset="UTF-8"`)
	refuse(w, http.StatusUnauthorized, why)
}
