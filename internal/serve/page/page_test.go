package page

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// TestHandler: the page's policy allows its own script and style and its server, a
// browser that has it is told so, and nothing in it leads elsewhere.
func TestHandler(t *testing.T) {
	get := func(method, etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/", nil)
		r.Header.Set("If-None-Match", etag)
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, r)
		return w
	}
	w := get(http.MethodGet, "")
	body, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
	for _, part := range []string{"script", "style"} {
		inside := regexp.MustCompile(`(?s)<` + part + `>(.*?)</` + part + `>`).FindStringSubmatch(body)
		if inside == nil {
			t.Fatalf("there is no %s", part)
		}
		sum := sha256.Sum256([]byte(inside[1]))
		if want := part + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "';"; !strings.Contains(policy, want) {
			t.Errorf("%s is not in %s", want, policy)
		}
	}
	for _, want := range []string{"default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%s is not in %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %s", policy)
	}
	for _, found := range regexp.MustCompile(`https?://[^"' ]*`).FindAllString(body, -1) {
		if found != "http://www.w3.org/2000/svg" { // a name, not asked for
			t.Errorf("%s is in the page", found)
		}
	}
	etag := w.Header().Get("ETag")
	if cached := w.Header().Get("Cache-Control"); etag == "" || cached != "private, no-cache" {
		t.Errorf("ETag %s, Cache-Control %s", etag, cached)
	}
	if w := get(http.MethodGet, etag); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("who has it gets status %d and %d bytes", w.Code, w.Body.Len())
	}
	if w := get(http.MethodHead, ""); w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Errorf("HEAD: status %d and %d bytes", w.Code, w.Body.Len())
	}
}
