// Package chart is what the pages of powerspy draw alike, for browsers: the script of
// axes and of power over time that can be zoomed and moved, and the colours and
// shapes of all that stands on a page, in light and in dark. [Policy] lets a page
// have its own parts, and nothing else.
package chart

import (
	"crypto/sha256"
	_ "embed" // of the parts of a page
	"encoding/base64"
)

// The parts that come before those of a page. The script has no library and asks for
// nothing; it sets the constant `chart`.
var (
	//go:embed chart.js
	Script string
	//go:embed theme.css
	Style string
)

// Policy returns the Content Security Policy of a page whose only script and style
// are these, inline; more are directives that it needs besides.
func Policy(script, style, more string) string {
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; script-src " + hash(script) + "; style-src " + hash(style) + "; img-src data:; base-uri 'none'; form-action 'none'" + more
}
