package doctest

import (
	"go/ast"
	"go/doc"
	"regexp"
	"strings"
	"testing"
)

// aboutErrors is found in a comment that says something of errors: a sentinel,
// or the word.
var aboutErrors = regexp.MustCompile(`\b[Ee]rrors?\b|Error\b|\bErr[A-Z]|\bfails?\b|\brefuses?\b`)

// An exported function whose last result is an error says something of errors.
// That what it says is right is for its own tests.
func TestErrorsAreTold(t *testing.T) {
	checked := 0
	for _, dir := range libraries {
		functions(t, dir, func(name string, f *doc.Func) {
			if !fails(f.Decl) || strings.HasSuffix(name, ".Unwrap") { // which says what is wrapped
				return
			}
			checked++
			if !aboutErrors.MatchString(f.Doc) {
				t.Errorf("%s.%s does not say which errors it returns", dir, name)
			}
		})
	}
	if checked < 100 {
		t.Errorf("only %d functions were checked", checked)
	}
}

// fails tells whether the last result is an error.
func fails(f *ast.FuncDecl) bool {
	r := f.Type.Results
	if r == nil || len(r.List) == 0 {
		return false
	}
	id, ok := r.List[len(r.List)-1].Type.(*ast.Ident)
	return ok && id.Name == "error"
}
