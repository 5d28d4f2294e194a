package powerspy

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

func TestHertz(t *testing.T) {
	tests := []struct {
		g     Generation
		count uint16
		want  float64
	}{
		{V1, 0x4E20, 50},
		{V2, 0x6C00, 50},
		{V1, 0x1F40, 125},
		{V2, 0x1F40, 172.8},
		{V2, 23040, 60},
		{V1, 0, math.Inf(1)},
		{V2, 0, math.Inf(1)},
	}
	for _, tt := range tests {
		if got := tt.g.hertz(tt.count); got != tt.want {
			t.Errorf("%v: %d is %g Hz, want %g", tt.g, tt.count, got, tt.want)
		}
	}
}

func TestFrequency(t *testing.T) {
	tests := []struct {
		g       Generation
		answers []string // the last one again and again
		want    float64
		err     error
	}{
		{V1, []string{"<F4E20>"}, 50, nil},
		{V2, []string{"<F6C00>"}, 50, nil},
		{V2, []string{"<" + goldenFrame + ">\n\r<F6C00>"}, 50, nil},
		{V2, []string{"<" + goldenIdentity + ">\n\r<F6C00>"}, 50, nil},
		{V1, []string{"<F61A8>"}, 40, nil},
		// One digit of one answer is damaged.
		{V2, []string{"<F7800>", "<F6C00>"}, 50, nil}, // 45 Hz
		{V2, []string{"<F6C00>", "<F5C00>", "<F6C00>"}, 50, nil},
		{V2, []string{"<F1C00>", "<F6C00>"}, 50, nil},
		{V2, []string{"<F6D00>", "<F6C00>"}, 50, nil},
		{V2, []string{"<F6C10>", "<F6C00>"}, 50, nil},
		// The mains wander: the last of two is told.
		{V2, []string{"<F6C05>", "<F6C00>"}, 50, nil},
		// They are not steady at all: the median of five.
		{V2, []string{"<F6A00>", "<F6E00>", "<F6C00>", "<F6B00>", "<F6D00>"}, 50, nil},
		{V1, []string{"<F61A9>"}, 0, ErrNotUnderstood},
		{V1, []string{"<F37CD>"}, 0, ErrNotUnderstood}, // 70.003 Hz
		{V1, []string{"<F1F40>"}, 0, ErrNotUnderstood},
		{V2, []string{"<F1F40>"}, 0, ErrNotUnderstood},
		{V2, []string{"<F0000>"}, 0, ErrNotUnderstood},
		{V2, []string{"<FFFFF>"}, 0, ErrNotUnderstood},
		{V2, []string{"<F6c00>"}, 0, ErrNotUnderstood},
		{V2, []string{"<F6C0>"}, 0, ErrNotUnderstood},
		{V2, []string{"<6C00>"}, 0, ErrNotUnderstood},
		{V2, []string{"<K>"}, 0, ErrNotUnderstood},
		{V2, []string{"<Z>"}, 0, ErrRefused},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.g, tt.answers), func(t *testing.T) {
			asked := 0
			c := respond(t, func(request string) string {
				if request == "<?>" {
					return "<" + identities[tt.g] + ">"
				}
				asked++
				return tt.answers[min(asked, len(tt.answers))-1]
			})
			got, err := c.Frequency(t.Context())
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Fatalf("unexpected frequency: %g, %v, want %g, %v", got, err, tt.want, tt.err)
			}
		})
	}
}
