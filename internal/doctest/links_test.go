package doctest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// In comments a link is a name in brackets; in pages, a text in brackets with
// a path in parentheses.
var (
	nameLink = regexp.MustCompile(`\[\*?(?:([a-z]\w*)\.)?([A-Z]\w*(?:\.[A-Z]\w*)?)\]`)
	pathLink = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
)

// A comment links to exported names that exist. Names of packages that are not
// this module's are left aside.
func TestLinksOfComments(t *testing.T) {
	names := make(map[string][]string)
	for _, dir := range libraries {
		comments(t, dir, func(name, _ string) {
			names[filepath.Base(dir)] = append(names[filepath.Base(dir)], name)
		})
	}
	found := 0
	for _, dir := range libraries {
		comments(t, dir, func(name, text string) {
			for _, link := range nameLink.FindAllStringSubmatch(text, -1) {
				where := link[1]
				if where == "" {
					where = filepath.Base(dir)
				}
				if known, ours := names[where]; ours {
					found++
					if !slices.Contains(known, link[2]) {
						t.Errorf("%s.%s: %s does not exist", dir, name, link[0])
					}
				}
			}
		})
	}
	if found < 100 {
		t.Errorf("only %d links were found", found)
	}
}

// A page links to files that exist, and a page of docs is in its list.
func TestLinksOfPages(t *testing.T) {
	root := filepath.Join("..", "..")
	docs, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(root, "docs", "README.md")
	var listed []string
	for _, page := range append(docs, filepath.Join(root, "README.md"), filepath.Join(root, "CHANGELOG.md"),
		filepath.Join(root, "scripts", "green-metrics-tool", "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range pathLink.FindAllStringSubmatch(string(text), -1) {
			target := filepath.Join(filepath.Dir(page), filepath.FromSlash(link[1]))
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", page, err)
			}
			if page == list {
				listed = append(listed, target)
			}
		}
	}
	for _, page := range docs {
		if page != list && !slices.Contains(listed, page) {
			t.Errorf("%s is not in %s", filepath.Base(page), strings.TrimPrefix(list, root))
		}
	}
}
