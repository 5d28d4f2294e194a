package record

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
)

// A recording of n windows, written a second at a time.
func written(tb testing.TB, events []meter.Event, compressed bool) (chunks [][]byte) {
	tb.Helper()
	w := NewWriter(writes(func(p []byte) (int, error) { chunks = append(chunks, bytes.Clone(p)); return len(p), nil }), compressed)
	if err := w.Begin(testHeader()); err != nil {
		tb.Fatal(err)
	}
	for i := range events {
		if err := w.Event(&events[i]); err != nil {
			tb.Fatal(err)
		}
		if i%50 == 49 {
			if err := w.Flush(); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := w.End(); err != nil {
		tb.Fatal(err)
	}
	return chunks
}

type writes func([]byte) (int, error)

func (w writes) Write(p []byte) (int, error) { return w(p) }

// Lines are written a second after the first that waits, in one piece, also where
// none follows.
func TestWriterFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		began := time.Now()
		w := NewWriter(writes(func(p []byte) (int, error) {
			if p[len(p)-1] != '\n' {
				t.Errorf("%q", p)
			}
			at = append(at, time.Since(began))
			return len(p), nil
		}), false)
		if err := w.Event(&meter.Event{Kind: meter.WindowEvent}); !errors.Is(err, errNotBegun) {
			t.Error(err)
		}
		if err := w.Begin(testHeader()); err != nil {
			t.Fatal(err)
		}
		for i, e := range testWindows(125, 1) {
			if i > 0 {
				time.Sleep(20 * time.Millisecond)
			}
			if err := w.Event(&e); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if err := w.Mark(measure.Mark{Time: began, Name: "x"}); err != nil {
			t.Fatal(err)
		}
		if err := w.End(); err != nil {
			t.Fatal(err)
		}
		if len(at) != 4 || at[0] != time.Second || at[1]-at[0] > 1020*time.Millisecond || at[2]-at[1] > 1020*time.Millisecond {
			t.Errorf("written at %v", at)
		}
	})
}

// Windows that come all at once are written after a second of theirs.
func TestWriterFlushesBursts(t *testing.T) {
	lines := 0
	w := NewWriter(writes(func(p []byte) (int, error) { lines += bytes.Count(p, []byte("\n")); return len(p), nil }), false)
	if err := w.Begin(testHeader()); err != nil {
		t.Fatal(err)
	}
	for i, e := range testWindows(500, 1) {
		if err := w.Event(&e); err != nil {
			t.Fatal(err)
		}
		if waiting := i + 2 - lines; waiting > 51 { // the header is a line, too
			t.Fatalf("after %d windows %d lines wait", i+1, waiting)
		}
	}
}

// An error is final: nothing is written behind what failed.
func TestWriterFails(t *testing.T) {
	full := errors.New("full")
	tries := 0
	w := NewWriter(writes(func([]byte) (int, error) { tries++; return 0, full }), true)
	if err := w.Begin(testHeader()); err != nil {
		t.Fatal(err)
	}
	e := testWindows(1, 1)[0]
	if err := w.Event(&e); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Flush(); !errors.Is(err, full) {
			t.Error(err)
		}
		if err := w.Event(&e); !errors.Is(err, full) {
			t.Error(err)
		}
	}
	if tries != 1 {
		t.Errorf("%d writes", tries)
	}
}

// Once its buffers have grown, writing makes no garbage.
func TestWriterMakesNoGarbage(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		w := NewWriter(io.Discard, compressed)
		if err := w.Begin(testHeader()); err != nil {
			t.Fatal(err)
		}
		events := testWindows(50, 1)
		second := func() {
			for i := range events {
				if err := w.Event(&events[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		second()
		if n := testing.AllocsPerRun(20, second); n > 0 {
			t.Errorf("compressed %v: %v allocations a second", compressed, n)
		}
	}
}

// BenchmarkDay is a day of windows of 20 ms: seconds to write and to read it, and
// its size.
func BenchmarkDay(b *testing.B) {
	const hour = 3600 * 50
	events := testWindows(hour, 1)
	for _, compressed := range []bool{false, true} {
		b.Run(map[bool]string{false: "text", true: "zst"}[compressed], func(b *testing.B) {
			var size int
			var all []byte
			for b.Loop() {
				all = all[:0]
				for _, c := range written(b, events, compressed) {
					all = append(all, c...)
				}
				size = len(all)
			}
			wrote := b.Elapsed().Seconds() / float64(b.N)
			start := time.Now()
			r, err := NewReader(bytes.NewReader(all))
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for {
				if _, err := r.Next(); err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != hour+1 {
				b.Fatalf("%d lines", n)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(24*wrote, "s_written/day")
			b.ReportMetric(24*time.Since(start).Seconds(), "s_read/day")
			b.ReportMetric(24*float64(size)/1e6, "MB/day")
			b.ReportMetric(float64(size)/hour, "B/window")
		})
	}
}
