package owner

import (
	"strings"
	"testing"
	"time"
)

func TestCommandLine(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"/usr/local/bin/powerspy", "measure", "--output", "a.csv"}, "powerspy measure --output a.csv"},
		{[]string{"powerspy", "measure", "--pin", "4711", "-n", "1"}, "powerspy measure --pin *** -n 1"},
		{[]string{"powerspy", "measure", "--pin=4711"}, "powerspy measure --pin=***"},
		{[]string{"powerspy", "measure", "-pin", "4711"}, "powerspy measure -pin ***"},
		{[]string{"powerspy", "measure", "-pin=47=11"}, "powerspy measure -pin=***"},
		{[]string{"powerspy", "measure", "--pin", "--pin", "-q"}, "powerspy measure --pin *** -q"},
		{[]string{"powerspy", "measure", "--pin"}, "powerspy measure --pin"},
		{[]string{"powerspy", "-d", "PowerSpy 4567", ""}, `powerspy -d "PowerSpy 4567" ""`},
		{[]string{"powerspy", "-o", "a\x1b[2J\n"}, `powerspy -o "a\x1b[2J\n"`},
		{nil, ""},
	}
	for _, tt := range tests {
		if got := commandLine(tt.args); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.args, got, tt.want)
		}
	}
	long := commandLine([]string{"powerspy", strings.Repeat("ä", 200)})
	if len(long) > maxCommand+3 || !strings.HasSuffix(long, "ä...") {
		t.Errorf("a long line became %q", long)
	}
}

func TestSince(t *testing.T) {
	now := time.Date(2026, 11, 25, 18, 0, 0, 0, time.Local)
	for want, at := range map[string]time.Time{
		"12:03":            time.Date(2026, 11, 25, 12, 3, 59, 0, time.Local),
		"2026-11-24 12:03": time.Date(2026, 11, 24, 12, 3, 0, 0, time.Local),
		"2025-11-25 12:03": time.Date(2025, 11, 25, 12, 3, 0, 0, time.Local),
	} {
		if got := since(at, now); got != want {
			t.Errorf("%v: got %s, want %s", at, got, want)
		}
	}
}

func TestHolderString(t *testing.T) {
	h := Holder{PID: 123, User: "alice", Command: "powerspy measure", Since: time.Date(2025, 1, 2, 12, 3, 0, 0, time.Local)}
	if got, want := h.String(), "pid 123 (user alice, `powerspy measure`) since 2025-01-02 12:03"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzDecode: whatever is in a lock file, it is told in one line without
// control characters.
func FuzzDecode(f *testing.F) {
	text, err := alice.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"pid":1,"user":"a\u001b[2J","command":"\n` + "`" + `"}`))
	f.Add([]byte(`{"pid":`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := decode(text).String()
		if strings.ContainsAny(s, "\n\r\x1b\x00") || strings.Count(s, "`")%2 != 0 {
			t.Errorf("%q", s)
		}
	})
}
