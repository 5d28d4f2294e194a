// Package doctest holds the tests of the project's documentation.
package doctest

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// libraries are the packages that other programs may import.
var libraries = []string{"bdaddr", "bluez", "meter", "powerspy", "powerspy/sim", "powerspy/timebase", "rfcomm"}

// TestEveryExportedName looks at the files of every system, which is why it
// parses them instead of asking the build.
func TestEveryExportedName(t *testing.T) {
	for _, name := range libraries {
		t.Run(name, func(t *testing.T) {
			for _, missing := range undocumented(t, name) {
				t.Errorf("%s.%s has no comment", name, missing)
			}
		})
	}
}

// TestUndocumentedIsSeen is the test of the test.
func TestUndocumentedIsSeen(t *testing.T) {
	got := strings.Join(undocumented(t, "internal/doctest/testdata/bare"), " ")
	const want = "package Bare Func Type Type.Field Type.Method"
	for _, w := range strings.Fields(want) {
		if !strings.Contains(" "+got+" ", " "+w+" ") {
			t.Errorf("%s was not reported; got %s", w, got)
		}
	}
	if strings.Contains(got, "Documented") {
		t.Errorf("a documented name was reported; got %s", got)
	}
}

// undocumented lists the exported names of the package in dir, which is
// relative to the module, that nothing is said about.
func undocumented(t *testing.T, dir string) []string {
	t.Helper()
	var missing []string
	comments(t, dir, func(name, text string) {
		if strings.TrimSpace(text) == "" {
			missing = append(missing, name)
		}
	})
	return missing
}

// comments calls said with each exported name of the package in dir, and with
// what is said about it.
func comments(t *testing.T, dir string, said func(name, text string)) {
	t.Helper()
	d := parse(t, dir)
	values := func(list []*doc.Value) {
		for _, v := range list {
			for _, s := range v.Decl.Specs {
				spec := s.(*ast.ValueSpec)
				for _, n := range spec.Names {
					if n.IsExported() {
						said(n.Name, v.Doc+spec.Doc.Text()+spec.Comment.Text())
					}
				}
			}
		}
	}
	said("package", d.Doc)
	values(d.Consts)
	values(d.Vars)
	for _, typ := range d.Types {
		said(typ.Name, typ.Doc)
		values(typ.Consts)
		values(typ.Vars)
		members(typ, said)
	}
	functions(t, dir, func(name string, f *doc.Func) { said(name, f.Doc) })
}

// functions calls visit with the exported functions and methods of a package.
func functions(t *testing.T, dir string, visit func(name string, f *doc.Func)) {
	t.Helper()
	each := func(prefix string, list []*doc.Func) {
		for _, f := range list {
			visit(prefix+f.Name, f)
		}
	}
	d := parse(t, dir)
	each("", d.Funcs)
	for _, typ := range d.Types {
		each("", typ.Funcs)
		each(typ.Name+".", typ.Methods)
	}
}

// parse reads the package in dir, which is relative to the module.
func parse(t *testing.T, dir string) *doc.Package {
	t.Helper()
	dir = filepath.Join("..", "..", filepath.FromSlash(dir))
	notTest := func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }
	//lint:ignore SA1019 the build is to be left aside: one package of all systems' files.
	parsed, err := parser.ParseDir(token.NewFileSet(), dir, notTest, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if len(parsed) != 1 {
		t.Fatalf("%s holds %d packages, want 1", dir, len(parsed))
	}
	for _, p := range parsed {
		return doc.New(p, dir, 0)
	}
	return nil
}

// members reports the fields of a struct and the methods of an interface.
func members(typ *doc.Type, said func(name, text string)) {
	for _, s := range typ.Decl.Specs {
		var list *ast.FieldList
		switch x := s.(*ast.TypeSpec).Type.(type) {
		case *ast.StructType:
			list = x.Fields
		case *ast.InterfaceType:
			list = x.Methods
		default:
			continue
		}
		for _, f := range list.List {
			for _, n := range f.Names {
				if n.IsExported() {
					said(typ.Name+"."+n.Name, f.Doc.Text()+f.Comment.Text())
				}
			}
		}
	}
}
