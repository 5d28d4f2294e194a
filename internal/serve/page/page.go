// Package page is the live page of `powerspy serve`: what the meters measure, as it
// comes, out of the API of the server that the page came from.
//
// It is one answer, script and style inside it, so that its parts always fit each
// other; its policy allows nothing else, and no request but to its server.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // of the parts of the page
	"encoding/hex"
	"html/template"
	"net/http"
	"strings"
	"time"

	"powerspy2/internal/chart"
)

var (
	//go:embed page.html
	text string
	//go:embed page.css
	ownStyle string
	//go:embed series.js
	seriesScript string
	//go:embed page.js
	ownScript string
)

// Handler returns what answers with the page.
func Handler() http.Handler {
	style, script := chart.Style+ownStyle, chart.Script+seriesScript+ownScript
	var b strings.Builder
	err := template.Must(template.New("page").Parse(text)).Execute(&b, struct {
		Style  template.CSS
		Script template.JS
	}{template.CSS(style), template.JS(script)})
	if err != nil {
		panic(err) // nothing of it comes from outside
	}
	whole := []byte(b.String())
	sum := sha256.Sum256(whole)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	policy := chart.Policy(script, style, "; connect-src 'self'; frame-ancestors 'none'")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		// Kept, and asked for each time whether it is still that of the server.
		h.Set("Cache-Control", "private, no-cache")
		h.Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(whole))
	})
}
