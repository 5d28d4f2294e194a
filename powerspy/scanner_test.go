package powerspy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scan feeds s in chunks of the given size and returns the frames.
func scan(s *scanner, text string, size int) []string {
	var frames []string
	for len(text) > 0 {
		n := min(size, len(text))
		chunk := []byte(text[:n])
		s.feed(chunk)
		for {
			frame, ok := s.next()
			if !ok {
				break
			}
			frames = append(frames, string(frame))
		}
		clear(chunk) // the scanner may not need it any more
		text = text[n:]
	}
	return frames
}

var scannerTests = []struct {
	name   string
	text   string
	frames []string
	broken uint64
}{
	{name: "nothing"},
	{name: "one", text: "<K>", frames: []string{"K"}},
	{name: "dotted", text: "<K.>", frames: []string{"K."}},
	{name: "empty", text: "<>", frames: []string{""}},
	{name: "LF CR", text: "<K>\n\r<Z>\n\r", frames: []string{"K", "Z"}},
	{name: "CR LF", text: "<K>\r\n<Z>\r\n", frames: []string{"K", "Z"}},
	{name: "no line ends", text: "<K><Z>", frames: []string{"K", "Z"}},
	{name: "noise outside", text: "\x00\xffAB<K>CD \t<Z>EF", frames: []string{"K", "Z"}},
	{name: "control bytes inside", text: "<\x00\n\r\xff>", frames: []string{"\x00\n\r\xff"}},
	{name: "real-time", text: "<" + goldenFrame + ">\n\r<" + goldenFrame + ">", frames: []string{goldenFrame, goldenFrame}},
	{name: "restart", text: "<007A1F<K>", frames: []string{"K"}, broken: 1},
	{name: "restarts", text: "<<<<K>", frames: []string{"K"}, broken: 3},
	{name: "lost start", text: "1FCA 001F>\n\r<K>", frames: []string{"K"}, broken: 1},
	{name: "not yet whole", text: "<K><007A", frames: []string{"K"}},
	{name: "longest", text: "<" + strings.Repeat("A", maxFrame) + ">", frames: []string{strings.Repeat("A", maxFrame)}},
	{name: "too long", text: "<" + strings.Repeat("A", maxFrame+1) + "><K>", frames: []string{"K"}, broken: 1},
	{name: "far too long", text: "<" + strings.Repeat("A", 10*maxFrame) + "><K>", frames: []string{"K"}, broken: 1},
	{name: "too long and restarted", text: "<" + strings.Repeat("A", maxFrame+1) + "<K>", frames: []string{"K"}, broken: 1},
}

func TestScanner(t *testing.T) {
	for _, tt := range scannerTests {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 4, 5, 6, 7, 300, 4096} {
				var s scanner
				if diff := cmp.Diff(tt.frames, scan(&s, tt.text, size)); diff != "" {
					t.Errorf("chunks of %d: unexpected frames (-want +got):\n%s", size, diff)
				}
				if s.broken != tt.broken {
					t.Errorf("chunks of %d: unexpected broken frames: %d, want %d", size, s.broken, tt.broken)
				}
			}
		})
	}
}

func TestScannerDiscard(t *testing.T) {
	for _, before := range []string{"", "<K>", "<K><00", "00>", "<K>\n\r"} {
		var s scanner
		s.feed([]byte(before))
		s.discard()
		broken := s.broken
		got := scan(&s, "7A><Z>", 3)
		if diff := cmp.Diff([]string{"Z"}, got); diff != "" {
			t.Errorf("after %q: unexpected frames (-want +got):\n%s", before, diff)
		}
		// The second half of a discarded frame is no damage; otherwise 7A>
		// has no beginning.
		want := uint64(1)
		if strings.HasSuffix(before, "<00") {
			want = 0
		}
		if got := s.broken - broken; got != want {
			t.Errorf("after %q: unexpected broken frames: %d, want %d", before, got, want)
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, tt := range scannerTests {
		f.Add(tt.text, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		var whole, chopped scanner
		frames := scan(&whole, text, len(text)+1)
		if diff := cmp.Diff(frames, scan(&chopped, text, 1+int(size))); diff != "" {
			t.Errorf("chunks of %d make a difference (-whole +chopped):\n%s", 1+int(size), diff)
		}
		if whole.broken != chopped.broken || whole.state != chopped.state {
			t.Errorf("chunks of %d make a difference: broken %d and %d, state %d and %d",
				1+int(size), whole.broken, chopped.broken, whole.state, chopped.state)
		}
		var encoded strings.Builder
		for _, frame := range frames {
			if len(frame) > maxFrame || strings.ContainsAny(frame, "<>") || !strings.Contains(text, "<"+frame+">") {
				t.Errorf("impossible frame %q", frame)
			}
			encoded.WriteString("<" + frame + ">")
		}
		var again scanner
		if diff := cmp.Diff(frames, scan(&again, encoded.String(), 4096)); diff != "" || again.broken != 0 {
			t.Errorf("encoded frames scan differently (-want +got):\n%s", diff)
		}
	})
}

func BenchmarkScanner(b *testing.B) {
	text := []byte("<" + goldenFrame + ">\n\r")
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	var s scanner
	for b.Loop() {
		s.feed(text)
		if _, ok := s.next(); !ok {
			b.Fatal("no frame")
		}
		s.next()
	}
}
