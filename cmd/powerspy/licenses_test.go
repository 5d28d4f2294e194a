package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The notices are those of exactly what is linked.
func TestLicenses(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", ".")
	cmd.Env = append(os.Environ(), "GOOS=linux")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(strings.Split(string(out), "\n"), func(s string) bool { return s == "" })
	slices.Sort(want)
	want = append([]string{"The Go standard library"}, slices.Compact(want)...)
	shown, stderr, status := inProcess(t, nil, "version", "--licenses")
	if stderr != "" || status != 0 {
		t.Fatalf("%q, exit status %d", stderr, status)
	}
	var got []string
	for _, part := range strings.Split(shown, "\n==== ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		got = append(got, title)
		if len(text) < 200 || !strings.HasPrefix(text, "\n-- ") {
			t.Errorf("%s has the notice %q", title, text)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scripts/licenses.sh is to be run again (-want +got):\n%s", diff)
	}
	for _, known := range []string{"CREATIVE COMMONS", "SIL OPEN FONT LICENSE", "The FreeType Project LICENSE", "Apache License"} {
		if !strings.Contains(strings.ToLower(shown), strings.ToLower(known)) {
			t.Errorf("there is no %q", known)
		}
	}
}
