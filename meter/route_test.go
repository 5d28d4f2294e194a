package meter

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bluez"
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

// A key that the meter forgot is healed by Dial, each time; a PIN that is wrong by
// now is final.
func TestRouteForgotten(t *testing.T) {
	// Before the meter is given to others it has to answer as one.
	healing := []string{"dial 1", "remove", "discover hci0", "pair with 1234", "dial 1", "dial 1"}
	tests := []struct {
		name  string
		pin   string // of the meter
		want  error
		final bool
		log   []string
	}{
		{name: "heals", pin: "1234", log: healing},
		{name: "another PIN", pin: "7777", want: ErrPairing, final: true, log: []string{"dial 1", "remove", "discover hci0", "pair with 1234", "pair with 0000"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := paired()
				d.pin = tt.pin
				h := &fakeHost{t: t, adapters: []bluez.Adapter{testAdapter}, air: []*fakeDevice{d}}
				found, err := resolve(t.Context(), Config{}, h.host())
				if err != nil {
					t.Fatal(err)
				}
				r := &Route{route: found}
				d.forgot = true
				for range 2 {
					h.log = nil
					l, err := r.Dial(t.Context())
					if !errors.Is(err, tt.want) || err != nil && IsFinal(err) != tt.final {
						t.Errorf("got %v, final %v", err, IsFinal(err))
					}
					if diff := cmp.Diff(tt.log, h.log); diff != "" {
						t.Errorf("unexpected calls (-want +got):\n%s", diff)
					}
					if err != nil {
						return
					}
					if err := l.Close(); err != nil {
						t.Error(err)
					}
					d.forgot = true
				}
			})
		})
	}
}

// Config.Trace is shown what goes over a link, in both directions.
func TestRouteTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		cfg := Config{Target: mustParse(t, "sim:delay=0s,jitter=0s,serial=1"), Trace: func(sent bool, p []byte) {
			direction := "<"
			if sent {
				direction = ">"
			}
			seen = append(seen, direction+" "+string(p))
		}}
		r, err := Locate(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(l, "<V00>"); err != nil {
			t.Error(err)
		}
		synctest.Wait() // the answer is there in whole
		if _, err := l.Read(make([]byte, 64)); err != nil {
			t.Error(err)
		}
		if err := errors.Join(l.Close(), r.Close()); err != nil {
			t.Error(err)
		}
		if _, err := l.Read(make([]byte, 64)); err == nil {
			t.Error("a closed link was read")
		}
		if diff := cmp.Diff([]string{"> <V00>", "< <01>\n\r"}, seen); diff != "" {
			t.Errorf("unexpected trace (-want +got):\n%s", diff)
		}
	})
}
