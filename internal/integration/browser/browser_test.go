package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// TestPage: what a page does wrong is noticed.
func TestPage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.html")
	const wrong = `<!DOCTYPE html><title>x</title><meta http-equiv="Content-Security-Policy" content="script-src 'unsafe-inline'; style-src 'none'">
<style>p { color: red }</style><p><img src="missing.png"><script>console.log("said", 1); undefinedFunction()</script>`
	if err := os.WriteFile(file, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	p := NewPage(t)
	p.Open("file://" + file)
	said := strings.Join(p.Said(), "\n")
	for _, want := range []string{`"said" 1`, "undefinedFunction", "style-src"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q was not heard in %s", want, said)
		}
	}
	if got := strings.Join(p.Requests(), " "); !strings.Contains(got, "missing.png") {
		t.Errorf("unexpected requests %s", got)
	}
	violations := strings.Join(p.Violations(), "\n")
	for _, want := range []string{"image-alt", "html-has-lang"} {
		if !strings.Contains(violations, want) {
			t.Errorf("axe-core did not find %s in %s", want, violations)
		}
	}
}
