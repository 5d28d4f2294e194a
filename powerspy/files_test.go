package powerspy

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseList(t *testing.T) {
	tests := []struct {
		name, text string
		files      []File
		odd        []string
	}{
		{"none", "", nil, nil},
		{"one", "120906.DAT:7FE/", []File{{"120906.DAT", 2046}}, nil},
		{"two", "120906.DAT:0/120907.DAT:100000/", []File{{"120906.DAT", 0}, {"120907.DAT", 1 << 20}}, nil},
		{"no last slash", "120906.DAT:1", []File{{"120906.DAT", 1}}, nil},
		{"lower case, spaces and lines", "120906.DAT: 7fe/\n\r 120907.DAT :0000001F/ ", []File{{"120906.DAT", 2046}, {"120907.DAT", 31}}, nil},
		{"no size", "120906.DAT/120907.DAT:/120908.DAT:1/", []File{{"120908.DAT", 1}}, []string{"120906.DAT", "120907.DAT:"}},
		{"no name", ":1/", nil, []string{":1"}},
		{"no digits", "120906.DAT:-1/120907.DAT:1G/120908.DAT:123456789/", nil, []string{"120906.DAT:-1", "120907.DAT:1G", "120908.DAT:123456789"}},
		{"other names", "README.TXT:10/12090.DAT:1/1209067.DAT:1/120906.dat:1/120906.DATA:1/.DAT:1/", nil,
			[]string{"README.TXT:10", "12090.DAT:1", "1209067.DAT:1", "120906.dat:1", "120906.DATA:1", ".DAT:1"}},
		{"names that lead elsewhere", "..:1/.bashrc:1/..\\..\\x.DAT:1/......DAT:1/C:\\abc.DAT:1/", nil,
			[]string{"..:1", ".bashrc:1", `..\..\x.DAT:1`, "......DAT:1", `C:\abc.DAT:1`}},
		{"names that a terminal obeys", "\x1b[2JAB.DAT:1/12\x0006.DAT:1/1209\x7f6.DAT:1/1209\u00e9.DAT:1/1209 6.DAT:1/", nil,
			[]string{"\x1b[2JAB.DAT:1", "12\x0006.DAT:1", "1209\x7f6.DAT:1", "1209\u00e9.DAT:1", "1209 6.DAT:1"}},
		{"one name twice", "ABCDEF.DAT:1/abcdef.DAT:2/ABCDEF.DAT:1/", []File{{"ABCDEF.DAT", 1}}, []string{"abcdef.DAT:2", "ABCDEF.DAT:1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := &FileList{Files: tt.files, Odd: tt.odd, Raw: []byte(tt.text)}
			got := parseList([]byte(tt.text))
			if diff := cmp.Diff(want.Files, got.Files); diff != "" {
				t.Errorf("unexpected files (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.Odd, got.Odd); diff != "" || string(got.Raw) != tt.text {
				t.Errorf("unexpected rest: %q (-want +got):\n%s", got.Raw, diff)
			}
		})
	}
}

// A list is as long as it is, spaces in it or not, and no real-time frame.
func TestListFiles(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "%06d.DAT:7FE/", i)
	}
	long := b.String()
	c := play(t, script(met,
		onWant("<U>", "<>\n\r"),
		onWant("<U>", "<"+long+">\n\r"),
		onWant("<U>", "<"+goldenFrame+">\n\r<120906.DAT: 7FE/>\n\r"),
	)...)
	for _, n := range []int{0, 3000, 1} {
		list, err := c.ListFiles(t.Context())
		if err != nil || len(list.Files) != n {
			t.Fatalf("unexpected list of %d: %+v, %v", n, list, err)
		}
	}
}

// FuzzList parses arbitrary answers: every entry is a file or odd.
func FuzzList(f *testing.F) {
	for _, s := range []string{"", "120906.DAT:7FE/", "A:0/B/:1/", "//", "a : 1 /\x00:0", "..:1/.bashrc:1/", "\x1b[2JAB.DAT:1/", "ABCDEF.DAT:1/abcdef.DAT:1/", "......DAT:1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list := parseList(text)
		entries := 0
		for s := range strings.SplitSeq(string(text), "/") {
			if strings.TrimSpace(s) != "" {
				entries++
			}
		}
		if len(list.Files)+len(list.Odd) != entries || string(list.Raw) != string(text) {
			t.Errorf("%q was read as %+v", text, list)
		}
		seen := map[string]bool{}
		for _, file := range list.Files {
			if file.Size < 0 || file.Size > 1<<32-1 || len(file.Name) != len("120906.DAT") || !filepath.IsLocal(file.Name) ||
				filepath.Base(file.Name) != file.Name || strings.ContainsAny(file.Name, "\x00\x1b\\ ") || seen[strings.ToLower(file.Name)] {
				t.Errorf("%q holds %+v", text, file)
			}
			seen[strings.ToLower(file.Name)] = true
		}
	})
}
