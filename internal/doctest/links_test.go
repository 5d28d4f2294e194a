// Package doctest checks the links of the project's documentation, which no
// linter follows.
package doctest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the repository.
var root = filepath.Join("..", "..")

// In comments a link is a name in brackets; in pages, a text in brackets with
// a path in parentheses.
var (
	nameLink = regexp.MustCompile(`\[\*?(?:([a-z]\w*)\.)?([A-Z]\w*(?:\.[A-Z]\w*)?)\]`)
	pathLink = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
)

// A sources is what the files of a package say, of every system and without
// its tests.
type sources struct {
	dir      string
	names    map[string]bool // that can be linked to: Func, Type, Type.Method
	comments []string
}

// libraries returns the packages that other programs may import, by name.
func libraries(t *testing.T) map[string]*sources {
	t.Helper()
	all := make(map[string]*sources)
	files, err := filepath.Glob(filepath.Join(root, "*", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := filepath.Glob(filepath.Join(root, "*", "*", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(files, deeper...) {
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, filepath.Join(root, "internal")) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name.Name == "main" {
			continue
		}
		p := all[f.Name.Name]
		if p == nil {
			p = &sources{dir: filepath.Dir(path), names: make(map[string]bool)}
			all[f.Name.Name] = p
		}
		for _, d := range f.Decls {
			maps.Copy(p.names, declared(d))
		}
		for _, c := range f.Comments {
			p.comments = append(p.comments, c.Text())
		}
	}
	return all
}

// declared returns the names of a declaration that can be linked to.
func declared(d ast.Decl) map[string]bool {
	names := make(map[string]bool)
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			typ := d.Recv.List[0].Type
			if star, ok := typ.(*ast.StarExpr); ok {
				typ = star.X
			}
			if id, ok := typ.(*ast.Ident); ok {
				name = id.Name + "." + name
			}
		}
		names[name] = true
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.ValueSpec:
				for _, id := range s.Names {
					names[id.Name] = true
				}
			case *ast.TypeSpec:
				names[s.Name.Name] = true
				for _, member := range members(s.Type) {
					names[s.Name.Name+"."+member] = true
				}
			}
		}
	}
	return names
}

// members returns the names of a struct's fields or an interface's methods.
func members(typ ast.Expr) (names []string) {
	var list *ast.FieldList
	switch typ := typ.(type) {
	case *ast.StructType:
		list = typ.Fields
	case *ast.InterfaceType:
		list = typ.Methods
	default:
		return nil
	}
	for _, f := range list.List {
		for _, id := range f.Names {
			names = append(names, id.Name)
		}
	}
	return names
}

// A comment links to names that exist. Names of packages that are not among
// the project's libraries are left aside.
func TestLinksOfComments(t *testing.T) {
	packages := libraries(t)
	found := 0
	for name, p := range packages {
		for _, text := range p.comments {
			for _, link := range nameLink.FindAllStringSubmatch(text, -1) {
				where := link[1]
				if where == "" {
					where = name
				}
				if to, ours := packages[where]; ours {
					found++
					if !to.names[link[2]] {
						t.Errorf("%s: %s does not exist", p.dir, link[0])
					}
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d links were found", found)
	}
}

// A page links to files that exist, and a page of docs is in its list.
func TestLinksOfPages(t *testing.T) {
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
