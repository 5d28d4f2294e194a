package bdaddr_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bdaddr"
)

var meter = bdaddr.Address{0x00, 0x0B, 0xCE, 0x07, 0x1D, 0x32}

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       bdaddr.Address
		ok         bool
	}{
		{name: "colons, upper case", text: "00:0B:CE:07:1D:32", want: meter, ok: true},
		{name: "colons, lower case", text: "00:0b:ce:07:1d:32", want: meter, ok: true},
		{name: "dashes, lower case", text: "00-0b-ce-07-1d-32", want: meter, ok: true},
		{name: "dashes, mixed case", text: "00-0B-ce-07-1D-32", want: meter, ok: true},
		{name: "zero", text: "00:00:00:00:00:00", ok: true},
		{name: "all ones", text: "ff:FF:ff:FF:ff:FF", want: bdaddr.Address{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, ok: true},
		{name: "empty"},
		{name: "separators mixed", text: "00:0B-CE:07:1D:32"},
		{name: "last separator differs", text: "00:0B:CE:07:1D-32"},
		{name: "no separator", text: "000BCE071D32"},
		{name: "another separator", text: "00.0B.CE.07.1D.32"},
		{name: "digit for separator", text: "00000B0CE0070D032"},
		{name: "five pairs", text: "00:0B:CE:07:1D"},
		{name: "seven pairs", text: "00:0B:CE:07:1D:32:01"},
		{name: "not hexadecimal", text: "00:0B:CE:07:1D:3G"},
		{name: "sign", text: "00:0B:CE:07:1D:+2"},
		{name: "short pair", text: "0:00B:CE:07:1D:32"},
		{name: "leading space", text: " 0:0B:CE:07:1D:32"},
		{name: "trailing newline", text: "00:0B:CE:07:1D:32\n"},
		{name: "wide digit", text: "00:0B:CE:07:1D:2"},
		{name: "very long", text: strings.Repeat("00:", 1000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := bdaddr.Parse(tt.text)
			if tt.ok {
				if err != nil {
					t.Fatalf("unexpected error: %v", err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Fatalf("unexpected address (-want +got):\n%s", diff)
				}
				return
			}
			var perr *bdaddr.ParseError
			if !errors.As(err, &perr) {
				t.Fatalf("got %v, %v, want a *ParseError", got, err)
			}
			if perr.Input != tt.text || perr.Reason == "" {
				t.Errorf("error does not carry the input and a reason: %+v", perr)
			}
			if len(err.Error()) > 250 {
				t.Errorf("message of %d bytes", len(err.Error()))
			}
			if !got.IsZero() {
				t.Errorf("got address %v beside an error", got)
			}
		})
	}
}

func TestAddressText(t *testing.T) {
	if got, want := meter.String(), "00:0B:CE:07:1D:32"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if meter.IsZero() || !(bdaddr.Address{}).IsZero() {
		t.Error("IsZero is wrong")
	}

	type config struct{ Device bdaddr.Address }
	text, err := json.Marshal(config{Device: meter})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), `{"Device":"00:0B:CE:07:1D:32"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var back config
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if back.Device != meter {
		t.Errorf("got %v back, want %v", back.Device, meter)
	}
	if err := json.Unmarshal([]byte(`{"Device":"meter"}`), &back); err == nil {
		t.Error("accepted a text that is not an address")
	}
	if back.Device != meter {
		t.Errorf("a failed UnmarshalText changed the address to %v", back.Device)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"00:0B:CE:07:1D:32", "00-0b-ce-07-1d-32", "", "00:0B-CE:07:1D:32", "00:0B:CE:07:1D:3G"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := bdaddr.Parse(s)
		if err != nil {
			return
		}
		// Whatever parses prints as the same address, in the one form of String.
		if want := strings.ToUpper(strings.ReplaceAll(s, "-", ":")); a.String() != want {
			t.Fatalf("%q parsed and printed as %q", s, a)
		}
		if back, err := bdaddr.Parse(a.String()); err != nil || back != a {
			t.Fatalf("%q parsed as %v, which parsed as %v, %v", s, a, back, err)
		}
	})
}
