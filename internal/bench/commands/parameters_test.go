package commands

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestScan(t *testing.T) {
	for _, tt := range []struct{ least, most, step, want string }{
		{"1", "4", "", "1 2 3 4"},
		{"0", "10", "3", "0 3 6 9"},
		{"-1", "1", "", "-1 0 1"},
		{"5", "5", "", "5"},
		{"0.3", "0.7", "0.2", "0.3 0.5 0.7"},
		{"0", "1", "0.25", "0 0.25 0.50 0.75 1.00"},
		{"-0.5", "0.5", "0.5", "-0.5 0.0 0.5"},
		{"0.1", "0.35", "0.1", "0.1 0.2 0.3"},
		{"1", "2.5", "1", "1 2"},
		{"007", "+9", "1", "7 8 9"},
	} {
		got, err := Scan(tt.least, tt.most, tt.step)
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%s to %s by %s: %q, %v, want %q", tt.least, tt.most, tt.step, got, err, tt.want)
		}
	}
	for _, tt := range []struct {
		least, most, step string
		want              error // nil: any
	}{
		{"5", "1", "", ErrReversed},
		{"1", "5", "0", ErrStep},
		{"1", "5", "-1", ErrStep},
		{"0.1", "0.5", "", ErrNoStep},
		{"1", "999999999999999999", "", ErrTooMany},
		{"0", "1", "0.000000000000000001", ErrTooMany},
		{"a", "b", "", nil},
		{"1", "1e9", "", nil},
		{"", "1", "", nil},
		{"1", strings.Repeat("9", 100), "", nil},
	} {
		if got, err := Scan(tt.least, tt.most, tt.step); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s to %s by %s: %q, %v", tt.least, tt.most, tt.step, got, err)
		}
	}
	if got, err := Scan("1", "100000", ""); err != nil || len(got) != mostValues {
		t.Errorf("%d, %v", len(got), err)
	}
}

func TestListed(t *testing.T) {
	for text, want := range map[string][]string{
		"a,b": {"a", "b"}, "a": {"a"}, "": {""}, "a,,b": {"a", "", "b"}, `a\,b,c`: {"a,b", "c"}, `a\\,b`: {`a\`, "b"}, `\n\`: {`\n\`},
	} {
		if got := List(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	two := []Parameter{{"a", []string{"1", "{b}"}}, {"b", []string{"x", "y"}}}
	for _, tt := range []struct {
		lines, names []string
		parameters   []Parameter
		want         string // lines, and names where they differ
	}{
		{[]string{"p", "q"}, nil, nil, "p; q"},
		{[]string{"p", "q"}, []string{"first"}, nil, "p = first; q"},
		{[]string{"p {a}", "q"}, nil, two[:1], "p 1; q = q (a = 1); p {b}; q = q (a = {b})"},
		{[]string{"{a}-{b}-{c}"}, nil, two, "1-x-{c}; {b}-x-{c}; 1-y-{c}; {b}-y-{c}"},
		{[]string{"{a}"}, []string{"n{a}"}, two[:1], "1 = n1; {b} = n{b}"},
		{[]string{"{a}"}, []string{"n"}, two[:1], "1 = n (a = 1); {b} = n (a = {b})"},
		{[]string{"{a}"}, []string{"m", "n{a}"}, two[:1], "1 = m (a = 1); {b} = n{b}"},
	} {
		list, err := Expand(tt.lines, tt.names, tt.parameters)
		var got []string
		for _, c := range list {
			text := c.Line
			if c.Name != c.Line {
				text += " = " + c.Name
			}
			got = append(got, text)
		}
		if err != nil || strings.Join(got, "; ") != tt.want {
			t.Errorf("%q: %q, %v, want %q", tt.lines, got, err, tt.want)
		}
	}
	many := make([]string, 101)
	for _, tt := range []struct {
		lines      []string
		parameters []Parameter
	}{
		{[]string{"p"}, []Parameter{{"a", many}, {"b", many}}},
		{many, []Parameter{{"a", many}}},
	} {
		if list, err := Expand(tt.lines, nil, tt.parameters); err == nil {
			t.Errorf("%d commands were made", len(list))
		}
	}
}
