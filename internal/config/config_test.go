package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"powerspy2/bdaddr"
	"powerspy2/meter"
)

func mustAddress(t *testing.T, s string) bdaddr.Address {
	t.Helper()
	a, err := bdaddr.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRoundTrip(t *testing.T) {
	want := &Config{Meters: []Meter{
		{Target: meter.Target{
			Kind: meter.Bluetooth, Alias: `rack "1"`, Name: "PowerSpy 4567", Channel: 3,
			Address: mustAddress(t, "00:0B:CE:07:1D:32"), Adapter: mustAddress(t, "00:1A:7D:DA:71:13"),
		}},
		{Target: meter.Target{Kind: meter.Bluetooth, Address: mustAddress(t, "00:0B:CE:07:1D:33"), Unpaired: true}},
		{Target: meter.Target{Kind: meter.TCP, Alias: "lab", Host: "localhost:4567"}},
		{Target: meter.Target{Kind: meter.Serial, Path: "/dev/rfcomm0"}},
		{Target: meter.Target{Kind: meter.Simulated, Alias: "fake"}},
	}}
	path := filepath.Join(t.TempDir(), "new", "powerspy", "config.toml")
	for first := range want.Meters {
		want.Remember(want.Meters[first].Target)
		if err := want.Save(path); err != nil {
			t.Fatal(err)
		}
		got, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		// The order of the others is that of the file.
		byDevice := cmpopts.SortSlices(func(a, b Meter) bool { return a.Device() < b.Device() })
		if !got.Meters[0].Equal(want.Meters[0].Target) {
			t.Errorf("the default is %v, want %v", got.Meters[0], want.Meters[0])
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Config{}, Meter{}), byDevice); diff != "" {
			t.Errorf("unexpected configuration (-want +got):\n%s", diff)
		}
	}
}

// What a device calls itself reaches neither the file nor a screen as it is; a
// person's own name for it has nothing to hide.
func TestNamesAreHarmless(t *testing.T) {
	address := mustAddress(t, "00:0B:CE:07:1D:32")
	c := &Config{Meters: []Meter{{Target: meter.Target{Kind: meter.Bluetooth, Address: address, Name: "PowerSpy \x1b[2J\u202e"}}}}
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := c.Save(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(string(text), "\x1b\u202e") {
		t.Errorf("the file has %q", text)
	}
	// An older version stored it as it was.
	got, err := Load(writeFile(t, "[[meter]]\naddress = \"00:0B:CE:07:1D:32\"\nname = \"PowerSpy \\u001b[2J\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if name := got.Meters[0].Name; name != `PowerSpy \x1b[2J` {
		t.Errorf("got the name %q", name)
	}
	for _, alias := range []string{"be\nnch", "\x1b[2J", "a\u202eb", "\xff"} {
		c.Meters[0].Alias = alias
		if err := c.Save(path); err == nil {
			t.Errorf("alias %q was saved", alias)
		}
	}
}

func TestDefaultComesFirst(t *testing.T) {
	const meters = `
[[meter]]
alias = "a"
address = "00:0b:ce:07:1d:31"
[[meter]]
name = "PowerSpy 2"
address = "00-0B-CE-07-1D-32"
[[meter]]
alias = "c"
device = "tcp://localhost:1"
`
	for def, want := range map[string]string{
		"a": "00:0B:CE:07:1D:31", "PowerSpy 2": "00:0B:CE:07:1D:32", "00:0b:ce:07:1d:32": "00:0B:CE:07:1D:32",
		"C": "tcp://localhost:1", "tcp://localhost:1": "tcp://localhost:1",
	} {
		c, err := Load(writeFile(t, "default = \""+def+"\"\n"+meters))
		if err != nil {
			t.Errorf("default %q: %v", def, err)
			continue
		}
		if len(c.Meters) != 3 || c.Meters[0].Device() != want {
			t.Errorf("default %q: got %v, want %s first of 3", def, c.Meters, want)
		}
	}
}

func TestRemember(t *testing.T) {
	one := meter.Target{Kind: meter.Bluetooth, Alias: "bench", Name: "PowerSpy 1", Address: mustAddress(t, "00:0B:CE:00:00:01")}
	two := meter.Target{Kind: meter.Bluetooth, Name: "PowerSpy 2", Address: mustAddress(t, "00:0B:CE:00:00:02")}
	c := &Config{}
	c.Remember(one)
	c.Remember(two)
	again := one
	again.Alias, again.Name, again.Channel = "", "", 2
	c.Remember(again)
	again.Alias, again.Name = "bench", "PowerSpy 1"
	if diff := cmp.Diff([]meter.Target{again, two}, c.Targets()); diff != "" {
		t.Errorf("unexpected meters (-want +got):\n%s", diff)
	}
	renamed := two
	renamed.Alias = "bench" // moves from one meter to the other
	c.Remember(renamed)
	again.Alias = ""
	if diff := cmp.Diff([]meter.Target{renamed, again}, c.Targets()); diff != "" {
		t.Errorf("unexpected meters (-want +got):\n%s", diff)
	}
}

func TestLoadRefuses(t *testing.T) {
	const good = "[[meter]]\naddress = \"00:0B:CE:07:1D:32\"\n"
	tests := []struct {
		name, text string
		line       int
		want       string
	}{
		{"syntax", good + "channel = = 1\n", 3, ""},
		{"type", good + "channel = \"one\"\n", 3, ""},
		{"alias that is a device", good + "alias = \"/dev/x\"\n", 3, "taken for a device"},
		{"alias that drives a terminal", good + "alias = \"a\\u001b[2J\"\n", 3, `"a\x1b[2J": it has invisible characters`},
		{"address", good + "[[meter]]\naddress = \"00:0B\"\n", 4, ""},
		{"adapter", good + "adapter = \"hci0\"\n", 3, ""},
		{"channel", good + "channel = 31\n", 3, "1 to 30"},
		{"nothing said", good + "[[meter]]\nalias = \"x\"\n", 3, "neither address nor device"},
		{"both", good + "device = \"sim:\"\n", 3, "in place of"},
		{"device", "[[meter]]\ndevice = \"ftp://x\"\n", 2, ""},
		{"same alias", good + "alias = \"x\"\n" + good + "alias = \"X\"\n", 6, "two meters"},
		{"escape in an alias", good + "alias = \"a\\u001b\"\n", 3, "invisible characters"},
		{"default", "\ndefault = \"y\"\n" + good, 2, `default "y"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, tt.text)
			_, err := Load(path)
			var ce *Error
			if !errors.As(err, &ce) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if ce.File != path || ce.Line != tt.line || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want line %d and %q", err, tt.line, tt.want)
			}
		})
	}
}

func TestLoadAbsent(t *testing.T) {
	c, err := Load(filepath.Join(t.TempDir(), "config.toml"))
	if err != nil || len(c.Meters) != 0 {
		t.Errorf("got %v, %v; want an empty configuration", c, err)
	}
}

func TestSaveIsPrivateAndLeavesNothingElse(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "dotfiles.toml")
	link := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(real, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	c := &Config{Meters: []Meter{{Target: meter.Target{Kind: meter.Simulated}}}}
	if err := c.Save(link); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(real)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %o, want 600", got)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the symbolic link is gone: %v, %v", info, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestSaveFailsWithoutHarm(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file", "config.toml")
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&Config{}).Save(path); err == nil {
		t.Error("saved below a file")
	}
	if got, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(got) != "kept" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestPath(t *testing.T) {
	tests := []struct{ xdg, home, want string }{
		{"/x", "/h", "/x/powerspy/config.toml"},
		{"", "/h", "/h/.config/powerspy/config.toml"},
		{"relative", "/h", "/h/.config/powerspy/config.toml"},
		{"", "", ""},
	}
	for _, tt := range tests {
		env := map[string]string{"XDG_CONFIG_HOME": tt.xdg, "HOME": tt.home}
		got, err := Path(func(k string) string { return env[k] })
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: got %q, %v", tt, got, err)
		}
	}
}

// The page shows a file that is one.
func TestDocument(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "```toml\n")
	text, _, ended := strings.Cut(rest, "```")
	if !ok || !ended {
		t.Fatal("the page shows no file")
	}
	c, err := Load(writeFile(t, text))
	if err != nil || len(c.Unknown) > 0 {
		t.Fatalf("%v, %v", err, c.Unknown)
	}
	if m := c.Meters[0]; len(c.Meters) != 2 || m.Alias != "bench" || m.Channel != 1 {
		t.Errorf("got %+v", c.Meters)
	}
}
