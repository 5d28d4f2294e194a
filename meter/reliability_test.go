package meter

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestReliabilityPage keeps docs/reliability.md honest: the tests it names are
// there, no test of a fault in the virtual machine is left out, and steps and
// times are those of the code.
func TestReliabilityPage(t *testing.T) {
	b, err := os.ReadFile("../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`(Test[A-Z][A-Za-z]*)`").FindAllStringSubmatch(page, -1) {
		named[m[1]] = true
	}
	if len(named) < 20 {
		t.Errorf("the page names %d tests", len(named))
	}
	there := testsIn(t, "..")
	for name := range named {
		if !there[name] {
			t.Errorf("there is no %s", name)
		}
	}
	for name := range testsIn(t, "../internal/integration/vmtest/fault_test.go") {
		if !named[name] {
			t.Errorf("%s is not on the page", name)
		}
	}
	for s := firstStep; s <= lastStep; s++ {
		row := regexp.MustCompile(fmt.Sprintf("(?m)^\\| %d `%s` \\|.*\\| (.*) \\|$", s, s)).FindStringSubmatch(page)
		if row == nil {
			t.Errorf("step %d, %s, has no row", s, s)
			continue
		}
		limit, err := time.ParseDuration(strings.NewReplacer(" ", "", "min", "m").Replace(row[1]))
		if err != nil || limit != stepKinds[s].limit {
			t.Errorf("step %s takes up to %q, want %v", s, row[1], stepKinds[s].limit)
		}
	}
	words := strings.Join(strings.Fields(page), " ")
	for _, text := range []string{
		fmt.Sprintf("a pause of %d %% of the outage so far, from %.0f s to %.0f s", 100/pauseShare, minPause.Seconds(), maxPause.Seconds()),
		fmt.Sprintf("fails again within %.0f s", stable.Seconds()),
		fmt.Sprintf("sends nothing for %.0f s", minSilence.Seconds()),
		fmt.Sprintf("seen lately (%.0f s at most)", maxSpread.Seconds()),
		"removing the key that the meter refuses and pairing again",
		"damaged data from the meter", "the meter left data out",
	} {
		if !strings.Contains(words, text) {
			t.Errorf("the page does not say %q", text)
		}
	}
}

// testsIn returns the names of the tests in a file, or in all of a folder.
func testsIn(t *testing.T, root string) map[string]bool {
	t.Helper()
	definition := regexp.MustCompile(`(?m)^func (Test\w+)\(\w+ \*testing\.T\)`)
	names := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range definition.FindAllSubmatch(b, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
