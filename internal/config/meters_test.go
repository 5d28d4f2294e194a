package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"powerspy2/meter"
)

// written is a file as a person keeps it.
const written = `# Our lab.

default = "bench" # next to the door

# The one at the bench.
[[meter]]
alias = 'bench'   # short for workbench
name = "PowerSpy 4567"
address = "00:0B:CE:07:1D:32"
colour = "blue"   # what a later version knows

  [meter.owner]   # likewise
  since = 2026-01-02T03:04:05Z
  by = "Ann"

# The old one.
[[meter]]
alias = "old"
device = "/dev/rfcomm0"

[later]
tables = ["stay",
  "too"]
`

// Each change leaves all else as it is written.
func TestUpdateKeepsTheRest(t *testing.T) {
	called := func(c *Config, name string) *Meter {
		m, err := c.Called(name)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, tt := range []struct {
		name   string
		change func(*Config) error
		from   string
		to     string // what stands in place of from
	}{
		{"nothing", func(c *Config) error { return nil }, "", ""},
		{"rename", func(c *Config) error { return c.Rename(called(c, "BENCH"), "desk") },
			"default = \"bench\" # next to the door|alias = 'bench'   # short", "default = \"desk\" # next to the door|alias = \"desk\"   # short"},
		{"no alias", func(c *Config) error { return c.Rename(called(c, "old"), "") }, "alias = \"old\"\n", ""},
		{"default", func(c *Config) error { c.MakeDefault(called(c, "old")); return nil }, `"bench" #`, `"old" #`},
		{"remove", func(c *Config) error { c.Remove(called(c, "old")); return nil },
			"# The old one.\n[[meter]]\nalias = \"old\"\ndevice = \"/dev/rfcomm0\"\n\n", ""},
		{"remember", func(c *Config) error {
			c.Remember(meter.Target{Kind: meter.TCP, Alias: "lab", Host: "lab:4000"})
			return nil
		}, "\"bench\" #|  \"too\"]\n", "\"lab\" #|  \"too\"]\n\n[[meter]]\nalias = \"lab\"\ndevice = \"tcp://lab:4000\"\n"},
		{"channel", func(c *Config) error { called(c, "PowerSpy 45").Channel = 2; return nil },
			"colour = \"blue\"   # what a later version knows\n", "colour = \"blue\"   # what a later version knows\nchannel = 2\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, written)
			want := written
			to := strings.Split(tt.to, "|")
			for i, from := range strings.Split(tt.from, "|") {
				if strings.Count(want, from) != 1 && from != "" {
					t.Fatalf("%q is not once in the file", from)
				}
				want = strings.Replace(want, from, to[i], 1)
			}
			if err := Update(path, tt.change); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Keys that this version doesn't know are told with their lines.
func TestUnknownKeys(t *testing.T) {
	c, err := Load(writeFile(t, written))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range c.Unknown {
		got = append(got, filepath.Base(e.Error()))
	}
	want := []string{
		`config.toml:10: unknown key "meter.colour"`, `config.toml:12: unknown key "meter.owner"`,
		`config.toml:13: unknown key "meter.owner.since"`, `config.toml:14: unknown key "meter.owner.by"`,
		`config.toml:21: unknown key "later"`, `config.toml:22: unknown key "later.tables"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What can't be changed line by line is not harmed.
func TestForeignForm(t *testing.T) {
	for _, text := range []string{
		"meter = [{alias = \"a\", device = \"/dev/x\"}]\n",
		"[[meter]]\ndevice = \"/dev/x\"\nalias = \"\"\"a\"\"\"\nnote = \"\"\"\n[[meter]]\n\"\"\"\n",
	} {
		path := writeFile(t, text)
		err := Update(path, func(c *Config) error { return c.Rename(&c.Meters[0], "b") })
		if err == nil || !strings.Contains(err.Error(), "write each as a [[meter]]") {
			t.Errorf("got %v", err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("the file is %q, %v", got, err)
		}
	}
}

// Two changes in a row, without a look at the file between them.
func TestSaveTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	c := &Config{}
	for _, device := range []string{"/dev/a", "/dev/b", "/dev/a"} {
		c.Remember(meter.Target{Kind: meter.Serial, Path: device})
		if err := c.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	const want = about + `default = "/dev/a"

[[meter]]
device = "/dev/a"

[[meter]]
device = "/dev/b"
`
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestCheckAlias(t *testing.T) {
	for alias, good := range map[string]bool{
		"bench": true, `rack "1"`: true, "Prüfstand 2": true, "電力": true,
		"": false, "a\x1b[2J": false, "a\n": false, "a\x00": false, "a\xff": false, "a\u202eb": false, "a\u200bb": false,
		" a": false, "a ": false, "/dev/x": false, "sim:": false, "00:0B:CE:07:1D:32": false, "tcp://x:1": false,
	} {
		if err := CheckAlias(alias); (err == nil) != good {
			t.Errorf("%q: %v", alias, err)
		}
	}
}

func TestCalled(t *testing.T) {
	c := &Config{}
	for _, m := range []meter.Target{
		{Kind: meter.Bluetooth, Alias: "bench", Name: "PowerSpy 4567", Address: mustAddress(t, "00:0B:CE:07:1D:32")},
		{Kind: meter.Bluetooth, Name: "PowerSpy 4568", Address: mustAddress(t, "00:0B:CE:07:1D:33")},
	} {
		c.Remember(m)
	}
	for s, want := range map[string]string{
		"Bench": "00:0B:CE:07:1D:32", "powerspy 4567": "00:0B:CE:07:1D:32", "PowerSpy 4568": "00:0B:CE:07:1D:33", "00-0b-ce-07-1d-33": "00:0B:CE:07:1D:33",
		"PowerSpy": `"PowerSpy" matches several meters: 00:0B:CE:07:1D:33, 00:0B:CE:07:1D:32`,
		"ben":      `no remembered meter is called "ben"; there are 00:0B:CE:07:1D:33, bench`,
		"":         `no remembered meter is called ""; there are 00:0B:CE:07:1D:33, bench`,
	} {
		m, err := c.Called(s)
		if err != nil && err.Error() != want || err == nil && m.Device() != want {
			t.Errorf("%q: got %v, %v, want %s", s, m, err, want)
		}
	}
	if err := c.Rename(&c.Meters[0], "BENCH"); err == nil {
		t.Error("two have one alias")
	}
}
