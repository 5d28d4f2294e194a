package serve

import "net/http"

type loginKey struct{}

// loginOf returns the login that a request was let in with; "": none.
func loginOf(r *http.Request) string {
	login, _ := r.Context().Value(loginKey{}).(string)
	return login
}
