package powerspy

import (
	"encoding"
	"errors"
	"math"
	"strings"
	"testing"
)

var _ encoding.TextAppender = Frame{}

func TestParseFrame(t *testing.T) {
	tests := []struct {
		text string
		want Frame
	}{
		{goldenFrame, Frame{8003530, 2065147, 3850908, 4009, 2741}},
		{"00000000 00000000 00000000 0000 0000", Frame{}},
		{"FFFFFFFF FFFFFFFF 7FFFFFFF FFFF FFFF", Frame{math.MaxUint32, math.MaxUint32, math.MaxInt32, math.MaxUint16, math.MaxUint16}},
		// Nothing plugged in: a small negative power.
		{"007A1FCA 00000004 FFFFFFF0 0FA9 0003", Frame{8003530, 4, -16, 4009, 3}},
		{"00000000 00000000 80000000 0000 0000", Frame{Power: math.MinInt32}},
	}
	for _, tt := range tests {
		got, err := ParseFrame([]byte(tt.text))
		if err != nil || got != tt.want {
			t.Errorf("ParseFrame(%q): %+v, %v, want %+v", tt.text, got, err, tt.want)
		}
		text, err := got.AppendText([]byte("<"))
		if err != nil || string(text) != "<"+tt.text {
			t.Errorf("%+v: encoded to %q, %v", got, text, err)
		}
	}
}

func TestParseFrameMalformed(t *testing.T) {
	long := strings.Repeat("0", 100)
	for _, text := range []string{
		"",
		"K",
		goldenFrame[1:],
		goldenFrame[:len(goldenFrame)-1],
		goldenFrame + "0",
		goldenFrame + " ",
		" " + goldenFrame,
		strings.ToLower(goldenFrame),
		strings.Replace(goldenFrame, "C", "G", 1),
		strings.Replace(goldenFrame, "0", "-", 1),
		strings.Replace(goldenFrame, "0", "+", 1),
		strings.Replace(goldenFrame, " ", "0", 1),
		strings.Replace(goldenFrame, " ", "\t", 1),
		strings.Replace(goldenFrame, "CA ", " CA", 1),
		strings.ReplaceAll(goldenFrame, " ", ""),
		"007A1FCA  001F82FB 003AC29C 0FA9 0AB",
		"007A1FCA 001F82FB 003AC29C 0FA90 AB5",
		long,
	} {
		got, err := ParseFrame([]byte(text))
		if got != (Frame{}) || !errors.Is(err, ErrNotUnderstood) {
			t.Errorf("ParseFrame(%q): %+v, %v, want %v", text, got, err, ErrNotUnderstood)
			continue
		}
		var answer *AnswerError
		if !errors.As(err, &answer) || string(answer.Answer) != text[:min(len(text), 64)] {
			t.Errorf("ParseFrame(%q): the error holds %q", text, answer.Answer)
		}
	}
}

func FuzzFrame(f *testing.F) {
	for _, text := range []string{goldenFrame, "", "K", "007A1FCA 00000004 FFFFFFF0 0FA9 0003", strings.ToLower(goldenFrame)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		frame, err := ParseFrame(text)
		if err != nil {
			if frame != (Frame{}) || !errors.Is(err, ErrNotUnderstood) {
				t.Errorf("ParseFrame(%q): %+v, %v", text, frame, err)
			}
			return
		}
		again, err := frame.AppendText(nil)
		if err != nil || string(again) != string(text) {
			t.Errorf("%q encodes back to %q, %v", text, again, err)
		}
	})
}

// FuzzAnswers sends arbitrary bytes through all parsers of answers.
func FuzzAnswers(f *testing.F) {
	for _, text := range []string{goldenIdentity, v2Identity, "F6C00", "6C", "K", "Z.", goldenFrame, "0C081E101621", "", "120906.DAT:7FE/", "A2000011234FFFF"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		kinds := 0
		if id, ok := parseIdentity(text); ok {
			kinds++
			want := []byte(identityPrefix)
			want = append(want, byte(id.Status))
			want = append(want, text[9:11]...)
			want = appendHex(want, uint32(id.Trigger), 2)
			want = appendHex(want, uint32(id.Firmware), 2)
			want = appendHex(want, uint32(id.Hardware), 2)
			want = appendHex(want, uint32(id.Serial), 4)
			if string(want) != string(text) || id.PLLLocked != (string(text[9:11]) != "00") {
				t.Errorf("%q was read as %+v", text, id)
			}
		}
		if b, ok := parseByte(text); ok {
			kinds++
			if want := appendHex(nil, uint32(b), 2); string(want) != string(text) {
				t.Errorf("%q was read as %#02x", text, b)
			}
		}
		if n, ok := parseFrequency(text); ok {
			kinds++
			if want := appendHex([]byte("F"), uint32(n), 4); string(want) != string(text) {
				t.Errorf("%q was read as %d", text, n)
			}
		}
		if f, ok := parseClock(text); ok {
			kinds++
			if want := f.append(nil); string(want) != string(text) {
				t.Errorf("%q was read as %v", text, f)
			}
		}
		if isList(text) {
			kinds++
		}
		if isCapture(text) && kinds == 0 { // AA and such are bytes
			kinds++
		}
		if _, ok := parseFrame(text); ok {
			kinds++
		}
		if isDone(text) {
			kinds++
		}
		if isRefused(text) {
			kinds++
		}
		if kinds > 1 {
			t.Errorf("%q has more than one meaning", text)
		}
	})
}
