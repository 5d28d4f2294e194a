package browser

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// axe-core is Deque's checker of what keeps people from using a page. scripts/test.sh
// fetches this version of it, which is not a part of this project.
const (
	axeVersion = "4.14.1"
	axeSum     = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745" // SHA-256
	axeScript  = "package/axe.min.js"
)

// Violations returns what axe-core finds wrong with the page as it is shown now.
func (p *Page) Violations() []string {
	p.t.Helper()
	script, err := axe()
	if err != nil {
		p.t.Fatal(err)
	}
	Eval[int](p, script+";0")
	return Eval[[]string](p, `axe.run().then((r) => r.violations.map((v) => v.id + ": " + v.help + "; " + v.nodes.map((n) => n.html.slice(0, 200) + " " + n.failureSummary).join("; ")))`)
}

// Accessible fails the test where something keeps people from using the page: where
// axe-core finds something in light or in dark, where the two have one background, or
// where on a phone, as whose screen the page is shown then, it is wider than that.
func (p *Page) Accessible() {
	p.t.Helper()
	backgrounds := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		p.Media("screen", scheme)
		backgrounds[Eval[string](p, `getComputedStyle(document.body).backgroundColor`)] = true
		for _, v := range p.Violations() {
			p.t.Errorf("%s: %s", scheme, v)
		}
	}
	if len(backgrounds) != 2 {
		p.t.Errorf("light and dark have the background %v", backgrounds)
	}
	p.Size(360, 740)
	if wide := Eval[int](p, `document.documentElement.scrollWidth`); wide > 360 {
		p.t.Errorf("it is %d pixels wide on a phone", wide)
	}
}

// axe returns axe-core's script out of the cache of scripts/test.sh.
func axe() (string, error) {
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	file := filepath.Join(cache, "powerspy", "axe-core-"+axeVersion+".tgz")
	archive, err := os.ReadFile(file)
	if err != nil {
		return "", errors.Join(err, errors.New("scripts/test.sh fetches it"))
	}
	if sum := sha256.Sum256(archive); hex.EncodeToString(sum[:]) != axeSum {
		return "", fmt.Errorf("%s is not what it was: SHA-256 %x", file, sum)
	}
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return "", err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err != nil {
			return "", fmt.Errorf("%s: %s: %w", file, axeScript, err)
		}
		if h.Name == axeScript {
			var b strings.Builder
			_, err := io.Copy(&b, t)
			return b.String(), err
		}
	}
}
