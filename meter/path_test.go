package meter_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"powerspy2/internal/output"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
)

// A fastLink is a simulated meter whose stream comes as fast as it is read.
type fastLink struct {
	powerspy.Link
	asked, streaming bool
}

func (l *fastLink) Write(p []byte) (int, error) {
	l.asked = bytes.HasPrefix(p, []byte("<J"))
	return l.Link.Write(p)
}

func (l *fastLink) Read(p []byte) (int, error) {
	if l.streaming {
		return copy(p, "<00799912 000120DA 002C82BD 0F98 0211>\n\r"), nil
	}
	n, err := l.Link.Read(p)
	if l.asked && bytes.Contains(p[:n], []byte("<K>")) {
		l.streaming = true
		n = bytes.Index(p[:n], []byte("<K>")) + len("<K>")
	}
	return n, err
}

// SetReadDeadline does nothing for a stream that never waits.
func (l *fastLink) SetReadDeadline(t time.Time) error {
	if l.streaming {
		return nil
	}
	return l.Link.SetReadDeadline(t)
}

// path returns what reads one frame, and writes the readings that it ends, by
// the way of a meter's bytes from the link to plain lines.
func path(tb testing.TB, w io.Writer) (step func()) {
	tb.Helper()
	link, err := sim.New(sim.Config{}).Dial(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	m, err := meter.OpenLink(tb.Context(), &fastLink{Link: link})
	if err != nil {
		tb.Fatal(err)
	}
	// There is no meter any more that would confirm a stop.
	tb.Cleanup(func() { _ = link.Close() })
	s, err := m.Stream(tb.Context(), meter.StreamConfig{Averaging: 1})
	if err != nil {
		tb.Fatal(err)
	}
	sink, err := output.NewSink(output.Plain, w, output.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	readings := &measure.Every{Interval: 20 * time.Millisecond, Out: sink.Event}
	var e meter.Event // one for all, so that it is not a new one in each step
	end, n := time.Now(), 0
	return func() {
		for ok := false; !ok; {
			end = end.Add(20 * time.Millisecond)
			n++
			late := time.Duration(n*7919%20) * time.Millisecond
			if e, ok, err = s.StepAt(end.Add(late)); err != nil {
				tb.Fatal(err)
			}
		}
		if err := readings.Event(&e); err != nil {
			tb.Fatal(err)
		}
	}
}

// TestPathAllocs: from the link to the line a reading makes no garbage.
func TestPathAllocs(t *testing.T) {
	var lines countWriter
	step := path(t, &lines)
	if n := testing.AllocsPerRun(2000, step); n != 0 {
		t.Errorf("%g allocations a reading", n)
	}
	if lines < 1900 {
		t.Errorf("%d lines", lines)
	}
}

type countWriter int

func (w *countWriter) Write(p []byte) (int, error) {
	*w += countWriter(bytes.Count(p, []byte("\n")))
	return len(p), nil
}

func BenchmarkPath(b *testing.B) {
	step := path(b, io.Discard)
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}
