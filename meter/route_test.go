package meter

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
)

// Nothing is sent by Dial, a route can be dialled again, and the claim lasts
// until Close.
func TestRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claims := 0
		cfg := Config{Target: mustParse(t, "sim:delay=0s,jitter=0s,serial=1"), Claim: func(Target) (func() error, error) {
			claims++
			return func() error { claims--; return nil }, nil
		}}
		r, err := Locate(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			l, err := r.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(l, "<V00>"); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 4)
			if _, err := io.ReadFull(l, got); err != nil || string(got) != "<01>" {
				t.Errorf("the first answer is %q, %v", got, err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		if claims != 1 {
			t.Errorf("%d claims while the route is open, want 1", claims)
		}
		if err := r.Close(); err != nil || claims != 0 {
			t.Errorf("%d claims after Close, %v", claims, err)
		}
	})
}

func TestLocateClaimed(t *testing.T) {
	held := errors.New("held")
	_, err := Locate(t.Context(), Config{Target: mustParse(t, "sim:"), Claim: func(Target) (func() error, error) { return nil, held }})
	if !errors.Is(err, held) || !errors.Is(err, ErrNoAnswer) {
		t.Errorf("got %v", err)
	}
}
