package serve

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// guarded refuses requests over TCP that a page of another site has made a browser
// send: by a name of the site's that leads here, or across sites.
func (s *Server) guarded(next http.Handler) http.Handler {
	allowed := make(map[string]bool)
	for _, name := range s.config.AllowedHosts {
		allowed[plainHost(name)] = true
	}
	known := func(r *http.Request, host string) bool { return allowed[host] || isHere(r, host) }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if peerFrom(r).kind == Unix {
			next.ServeHTTP(w, r)
			return
		}
		if !known(r, plainHost(hostOf(r.Host))) {
			refuse(w, http.StatusForbidden, "the request is for another host; --allowed-host makes a name of this machine known")
			return
		}
		for _, origin := range r.Header.Values("Origin") {
			u, err := url.Parse(origin)
			if err != nil || u.Host == "" || !known(r, plainHost(u.Hostname())) {
				refuse(w, http.StatusForbidden, "the request comes from a page of another site")
				return
			}
		}
		if crossSite(r) {
			refuse(w, http.StatusForbidden, "the request comes from a page of another site")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// crossSite reports whether a browser says that a page of another site asks without an
// Origin, as for a picture or a script: it could not read the answer, but take up
// readers. A link that leads here is none.
func crossSite(r *http.Request) bool {
	h := r.Header
	return h.Get("Origin") == "" && h.Get("Sec-Fetch-Site") == "cross-site" && h.Get("Sec-Fetch-Mode") != "navigate"
}

// hostOf returns the host of host:port, or of a host alone.
func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

// plainHost writes a host as one of its spellings.
func plainHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// isHere reports whether a host is the loopback, or the address that the connection
// of a request leads to.
func isHere(r *http.Request, host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true // RFC 6761, section 6.3
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	a = a.Unmap().WithZone("")
	if a.IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.AddrPort().Addr().Unmap().WithZone("") == a
}
