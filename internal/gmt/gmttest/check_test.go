package gmttest

import (
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	for _, tt := range []struct{ out, want string }{
		{"1000000 5\n1100000 5\n1200000 5\n13", ""},
		{"1000000", "no row"},
		{"1000000 5\n1100000 1\n", "too small"},
		{"1000000 5\n1100000 5.5\n", "not two integers"},
		{"1000000 5\n1000000 5\n", "does not increase"},
		{"1000000 5\n1120000 5\n", "not about"},
		{"1000000 5\n1080000 5\n", "not about"},
	} {
		err := Check(tt.out, 100*time.Millisecond)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.out, err, tt.want)
		}
	}
}
