package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"powerspy2/measure"
	"powerspy2/meter"
)

// readAll reads a recording: what it holds, written again.
func readAll(t *testing.T, path string) (lines []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		l, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := l.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(text))
	}
}

// record appends events to a file.
func recordTo(path string, h Header, events []meter.Event) (cut int64, err error) {
	f, err := OpenFile(context.Background(), path, FileConfig{})
	if err != nil {
		return 0, err
	}
	err = f.Begin(h)
	for i := range events {
		if err == nil {
			err = f.Event(&events[i])
		}
		if i%5 == 4 && err == nil {
			err = f.Flush()
		}
	}
	return f.Cut(), errors.Join(err, f.Close())
}

// A recording that is cut at any byte, also with zero bytes behind, as a power
// failure leaves it, is mended when it is opened next: what is there is the
// beginning of what was written, of which no more is missing than one Write, and
// what is appended stands behind it.
func TestCutAnywhere(t *testing.T) {
	for _, name := range []string{"r.jsonl", "r.jsonl.zst"} {
		path := filepath.Join(t.TempDir(), name)
		events := testWindows(7, 1)
		if _, err := recordTo(path, testHeader(), events[:5]); err != nil {
			t.Fatal(err)
		}
		first, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := recordTo(path, testHeader(), events); err != nil {
			t.Fatal(err)
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all := readAll(t, path)
		if len(all) != 8 {
			t.Fatalf("%d lines", len(all))
		}
		least := func(at int) int { // lines, of two Writes
			switch {
			case name == "r.jsonl":
				return bytes.Count(whole[:at], []byte("\n"))
			case int64(at) >= first.Size():
				return 6
			}
			return 0
		}
		for at := range whole {
			for _, tail := range []string{"", "\x00\x00\x00\x00\x00\x00\x00\x00\x00"} {
				if tail != "" && (at == 0 || at%4 != 0) {
					continue // no recording, or enough of that
				}
				if err := os.WriteFile(path, append(whole[:at:at], tail...), 0o600); err != nil {
					t.Fatal(err)
				}
				if _, err := recordTo(path, testHeader(), events[:1]); err != nil {
					if at < 4 && errors.Is(err, ErrFormat) { // it may be anything
						continue
					}
					t.Fatalf("%s cut at %d of %d: %v", name, at, len(whole), err)
				}
				got := readAll(t, path)
				kept := got[:len(got)-2]
				if diff := cmp.Diff(all[:len(kept)], kept); diff != "" || len(kept) < least(at) {
					t.Fatalf("%s cut at %d of %d, %d lines: %s", name, at, len(whole), len(kept), diff)
				}
				if diff := cmp.Diff(all[:2], got[len(kept):]); diff != "" {
					t.Fatalf("%s cut at %d of %d: appended %s", name, at, len(whole), diff)
				}
			}
		}
	}
}

// Blocks of a file may reach the disk in any order: frames behind one that did not
// are cut off with it. Damage far from the end is none of a crash, and nothing is
// cut off for it.
func TestDamagedFrames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.zst")
	chunks := written(t, testWindows(500*50, 1), true)
	write := func(damaged int) (size int64) {
		t.Helper()
		all := bytes.Clone(bytes.Join(chunks, nil))
		for _, c := range chunks[:damaged] {
			size += int64(len(c))
		}
		clear(all[size+20:][:100])
		if err := os.WriteFile(path, all, 0o600); err != nil {
			t.Fatal(err)
		}
		return size
	}
	last := len(chunks) - 3
	want := write(last)
	if _, err := recordTo(path, testHeader(), nil); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != want {
		t.Errorf("%d bytes, want %d", info.Size(), want)
	}
	if got := len(readAll(t, path)); got != 1+50*last {
		t.Errorf("%d lines", got)
	}
	for _, damaged := range []int{100, last} {
		write(damaged)
		r := open(t, path)
		var err error
		n := -1
		for err == nil {
			_, err = r.Next()
			n++
		}
		if n < 50*damaged || n > 50*damaged+50 || errors.Is(err, ErrDamaged) != (damaged == 100) || errors.Is(err, io.EOF) != (damaged == last) {
			t.Errorf("%d windows before chunk %d, %v", n, damaged, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A torn recording is read as far as it is whole, without mending it.
func TestReadTorn(t *testing.T) {
	for _, name := range []string{"r.jsonl", "r.jsonl.zst", "r.jsonl.gz"} {
		path := filepath.Join(t.TempDir(), name)
		events := testWindows(7, 1)
		if name == "r.jsonl.gz" {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			for _, c := range written(t, events, false) {
				if _, err := z.Write(c); err != nil {
					t.Fatal(err)
				}
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenFile(t.Context(), path, FileConfig{}); !errors.Is(err, ErrGzip) {
				t.Errorf("got %v", err)
			}
		} else if _, err := recordTo(path, testHeader(), events); err != nil {
			t.Fatal(err)
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := len(whole); at > 0; at-- {
			if err := os.WriteFile(path, whole[:at], 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := Open(t.Context(), path)
			if errors.Is(err, ErrFormat) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for {
				e, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%s cut at %d of %d: %v", name, at, len(whole), err)
				}
				if diff := same(events[n], e); diff != "" {
					t.Fatalf("%s cut at %d of %d: %s", name, at, len(whole), diff)
				}
				n++
			}
			if at == len(whole) && (n != len(events) || r.Torn()) || n < len(events) && at == len(whole)-1 && !r.Torn() {
				t.Errorf("%s cut at %d of %d: %d windows, torn %v", name, at, len(whole), n, r.Torn())
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// What is no recording, or one of another meter, stays as it is.
func TestOpenFileRefuses(t *testing.T) {
	dir := t.TempDir()
	header, err := (&Line{Kind: HeaderLine, Header: testHeader()}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	later := bytes.Replace(header, []byte(`"version":1`), []byte(`"version":2`), 1)
	damaged := newEncoder().EncodeAll(header, nil)
	damaged = append(damaged, bytes.Repeat([]byte("x"), longestTorn+1)...)
	for name, test := range map[string]struct {
		text []byte
		want error
	}{
		"text":     {[]byte("some text\n"), ErrFormat},
		"half":     {[]byte("some text"), ErrFormat},
		"jsonl":    {[]byte("{\"type\":\"reading\",\"version\":1}\n"), ErrFormat},
		"later":    {later, ErrFormat},
		"later2":   {newEncoder().EncodeAll(later, nil), ErrFormat},
		"text.zst": {newEncoder().EncodeAll([]byte("some text\n"), nil), ErrFormat},
		"big":      {damaged, ErrDamaged},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, test.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if f, err := OpenFile(t.Context(), path, FileConfig{}); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
		if got, err := os.ReadFile(path); !bytes.Equal(got, test.text) {
			t.Errorf("%s is another: %v", name, err)
		}
	}
	path := filepath.Join(dir, "r.zst")
	if _, err := recordTo(path, testHeader(), testWindows(1, 1)); err != nil {
		t.Fatal(err)
	}
	h := testHeader()
	h.Meter.Serial++
	var other *OtherMeterError
	if _, err := recordTo(path, h, nil); !errors.As(err, &other) {
		t.Errorf("got %v", err)
	}
}

// A full disk is an error, once, and what was written before can be read.
func TestFullDisk(t *testing.T) {
	for _, name := range []string{"r.jsonl", "r.jsonl.zst"} {
		path := filepath.Join(t.TempDir(), name)
		limit := limitFiles(t, 8<<10)
		events := testWindows(500, 1)
		f, err := OpenFile(t.Context(), path, FileConfig{})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Begin(testHeader()); err != nil {
			t.Fatal(err)
		}
		failed := 0
		for i := range events {
			err = errors.Join(f.Event(&events[i]))
			if i%10 == 9 && err == nil {
				err = f.Flush()
			}
			if err != nil {
				failed = i
				break
			}
		}
		if failed == 0 {
			t.Errorf("%s: no error", name)
		}
		if err := f.Close(); err != nil {
			t.Errorf("%s: closing it: %v", name, err)
		}
		limit()
		if got := readAll(t, path); len(got) != failed/10*10+1 {
			t.Errorf("%s: %d lines, of %d windows", name, len(got), failed)
		}
		if cut, err := recordTo(path, testHeader(), events[:1]); cut != 0 || err != nil {
			t.Errorf("%s: cut %d, %v", name, cut, err)
		}
	}
}

// replayed returns the readings of what a source yields, and the outcome.
func replayed(t *testing.T, src measure.Source, interval time.Duration) (readings []measure.Reading, gaps []meter.Gap, out measure.Outcome) {
	t.Helper()
	out, err := measure.Run(t.Context(), src, &measure.Every{Interval: interval, Out: func(e *measure.Event) error {
		switch e.Kind {
		case measure.ReadingEvent:
			readings = append(readings, e.Reading)
		case measure.GapEvent:
			gaps = append(gaps, e.Gap)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return readings, gaps, out
}

func open(t *testing.T, path string) *Recording {
	t.Helper()
	r, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Where a file was appended to there is a gap, also where the clock was set back
// meanwhile; so is what can't be read.
func TestAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.jsonl")
	events := testWindows(300, 1)
	if _, err := recordTo(path, testHeader(), events[:100]); err != nil {
		t.Fatal(err)
	}
	if _, err := recordTo(path, testHeader(), events[200:]); err != nil {
		t.Fatal(err)
	}
	if _, err := recordTo(path, testHeader(), events[:50]); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	lines[21] = []byte("{\x00\x00\n")
	if err := os.WriteFile(path, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, path)
	readings, gaps, out := replayed(t, r, time.Second)
	if n, err := r.Unread(); n != 1 || !errors.Is(err, ErrFormat) {
		t.Errorf("%d lines not read: %v", n, err)
	}
	length := 0 * time.Second
	for i, r := range readings {
		length += r.Length
		if i > 0 && r.Start.Before(readings[i-1].End) {
			t.Errorf("%v before %v", r.Start, readings[i-1].End)
		}
	}
	if len(gaps) != 3 || out.Windows+out.Bridged != 249 || out.Measured != length {
		t.Fatalf("%+v, %+v", gaps, out)
	}
	for i, want := range []string{
		fmt.Sprintf("the recording can't be read there: line 22: %v: invalid character '\\x00' looking for beginning of object key string", ErrFormat),
		notRecorded, setBack,
	} {
		if gaps[i].Reason != want {
			t.Errorf("%q, want %q", gaps[i].Reason, want)
		}
	}
	if !gaps[1].From.Equal(events[99].Window.End) || !gaps[1].To.Equal(events[200].Window.Start) || gaps[2].To.Sub(gaps[2].From) != 0 {
		t.Errorf("gaps %+v", gaps)
	}
}

// Readings of a part are those of its windows; between two parts there is a gap,
// and windows that two parts share are in one of them.
func TestChoose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.zst")
	events := testWindows(1000, 1)
	if _, err := recordTo(path, testHeader(), events); err != nil {
		t.Fatal(err)
	}
	at := func(s float64) time.Time { return began.Add(time.Duration(s * 1e9)) }
	all, _, _ := replayed(t, open(t, path), 100*time.Millisecond)
	energy := func(rs []measure.Reading) (j float64) {
		for _, r := range rs {
			j += r.Energy
		}
		return j
	}
	sum := 0.
	for _, part := range []Range{{To: at(3.333)}, {at(3.333), at(3.3334)}, {at(3.3334), at(11.119)}, {From: at(11.119)}} {
		r := open(t, path)
		r.Choose(part)
		got, gaps, _ := replayed(t, r, 100*time.Millisecond)
		sum += energy(got)
		if len(gaps) > 0 {
			t.Errorf("%v: %v", part, gaps)
		}
	}
	if math.Abs(sum-energy(all)) > 1e-9 {
		t.Errorf("%v J in parts, %v in all", sum, energy(all))
	}
	r := open(t, path)
	r.Choose(Range{at(1), at(2)}, Range{at(5), at(7)})
	got, gaps, out := replayed(t, r, time.Second)
	n, d := r.Skipped()
	if len(got) != 3 || len(gaps) != 1 || gaps[0].Reason != NotChosen || n != 1 || d.Round(time.Second) != 3*time.Second || out.Windows+out.Bridged < 149 || out.Windows+out.Bridged > 151 {
		t.Errorf("%d readings, %+v, %d, %v, %+v", len(got), gaps, n, d, out)
	}
	if got := (Range{at(2), at(6)}).Within([]Range{{at(0), at(1)}, {at(1), at(3)}, {From: at(5)}, {From: at(7)}}); len(got) != 2 ||
		got[0] != (Range{at(2), at(3)}) || got[1] != (Range{at(5), at(6)}) {
		t.Errorf("within: %v", got)
	}
}

func TestPhases(t *testing.T) {
	for _, name := range []string{"r.jsonl", "r.jsonl.zst"} {
		path := filepath.Join(t.TempDir(), name)
		f, err := OpenFile(t.Context(), path, FileConfig{})
		if err != nil {
			t.Fatal(err)
		}
		at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
		events := testWindows(500, 1)
		err = errors.Join(f.Begin(testHeader()),
			f.Mark(measure.Mark{Time: at(1), Name: "a"}), f.Mark(measure.Mark{Time: at(3), Name: "b"}), f.Mark(measure.Mark{Time: at(2), Name: "late"}))
		for i := range events {
			err = errors.Join(err, f.Event(&events[i]))
		}
		err = errors.Join(err, f.Mark(measure.Mark{Time: at(4), End: true}), f.Mark(measure.Mark{Time: at(5), Name: "a"}),
			f.Job(Job{Start: at(0), End: at(7)}), f.Mark(measure.Mark{Time: at(9), Name: "last"}), f.Close())
		if err != nil {
			t.Fatal(err)
		}
		got, err := Phases(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		want := []measure.Phase{
			{Name: "a", From: at(1), To: at(2)}, {Name: "late", From: at(2), To: at(3)}, {Name: "b", From: at(3), To: at(4)}, {Name: "a", From: at(5), To: at(7)},
			{Name: "last", From: at(9), To: events[499].Window.End},
		}
		if diff := same(want, got); diff != "" {
			t.Errorf("%s", diff)
		}
		if diff := cmp.Diff([]string{"a", "late", "b", "last"}, Names(got)); diff != "" {
			t.Error(diff)
		}
	}
}
