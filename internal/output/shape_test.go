package output

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
)

// check is Shape.Check of a file with this text.
func check(s *Shape, text, mark string) error {
	whole, torn := text, ""
	if i := strings.LastIndexByte(text, '\n') + 1; i < len(text) {
		whole, torn = text[:i], text[i:]
	}
	lines := strings.Split(strings.TrimSuffix(whole, "\n"), "\n")
	return s.Check([]byte(whole), []byte(lines[len(lines)-1]), []byte(torn), mark)
}

// variant is a format with options.
type variant struct {
	format Format
	o      Options
}

// variants are formats and options whose lines differ. Plain's units are in
// TestShapeMark.
func variants() []variant {
	J, mJ, uJ := Joule, Millijoule, Microjoule
	return []variant{
		{Table, Options{}}, {Table, Options{Unit: &mJ}}, {Table, Options{Fields: []string{"end", "power"}}},
		{CSV, Options{}}, {CSV, Options{Time: TimeMicro}}, {CSV, Options{Fields: []string{"end", "power"}}}, {CSV, Options{Fields: []string{"power", "end"}}},
		{JSONL, Options{}}, {Influx, Options{Meter: "rack 1"}}, {OSCAR, Options{Meter: "rack 1", Began: epoch}},
		{Plain, Options{Unit: &uJ}}, {Plain, Options{Unit: &uJ, Time: TimeMilli}}, {Plain, Options{Unit: &J}}, {Plain, Options{Unit: &J, Time: TimeISO}},
		{Plain, Options{Unit: &uJ, Time: TimeSecond}},
	}
}

func (v variant) String() string { return fmt.Sprintf("%s %+v", v.format, v.o) }

func (v variant) shape(t *testing.T) *Shape {
	t.Helper()
	s, err := NewShape(v.format, v.o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each knows its own files, wherever a crash has torn them, and no other's.
func TestShape(t *testing.T) {
	all := variants()
	for _, v := range all {
		text := example(t, v.format, v.o)
		s := v.shape(t)
		first := strings.Index(text, "\n") + 1
		// Half of OSCAR's header, of two lines, is none.
		for n := max(first, len(sinkTo(t, v.format, nil, v.o).Header())); n <= len(text); n++ {
			if err := check(s, text[:n], ""); err != nil {
				t.Fatalf("%v: of its own file, torn after %d bytes: %v", v, n, err)
			}
		}
		for n := range first {
			if err := check(s, text[:n], s.String()); err != nil {
				t.Fatalf("%v: of its own file with a mark, torn after %q: %v", v, text[:n], err)
			}
		}
		if err := check(s, text[:first-1], ""); err != nil {
			t.Errorf("%v: of its own first line without its end: %v", v, err)
		}
		for _, other := range all {
			err := check(other.shape(t), text, "")
			var wrong *ShapeError
			if other.String() != v.String() && !errors.As(err, &wrong) {
				t.Errorf("%v takes a file of %v: %v", other, v, err)
			}
		}
	}
}

// What people have in files is none of ours, nor is its last line.
func TestShapeForeign(t *testing.T) {
	for _, text := range []string{
		"", `{"cells": []}`, "{\"cells\": []}\n", "{\n \"cells\": []\n}", "#!/bin/sh\necho hello", "hello", "42", "1764", "12", "p", "{",
		"time,watts\n1,2\n", "end", "a\n\n", "\n", "1 2\n3 4\nfive", "# notes\n1764100000000000 171140\n",
	} {
		for _, v := range variants() {
			if text == "1 2\n3 4\nfive" && v.format == Plain {
				continue // below
			}
			if err := check(v.shape(t), text, ""); err == nil {
				t.Errorf("%v takes %q", v, text)
			}
		}
	}
	// A notebook on one line, of which only a part was looked at.
	for _, v := range variants() {
		part := []byte(`{"cells": [` + strings.Repeat("1, ", 1000))
		if err := v.shape(t).Check(part, part, nil, ""); err == nil {
			t.Errorf("%v takes a long line", v)
		}
	}
	// A file of readings to which somebody has added a word.
	for _, v := range variants() {
		text := example(t, v.format, v.o)
		for _, behind := range []string{"a note\n", "# a note", "}", "Done: ok"} {
			if err := check(v.shape(t), text+behind, ""); err == nil {
				t.Errorf("%v takes its own lines with %q behind them", v, behind)
			}
		}
	}
}

func TestShapeErrorNamesBoth(t *testing.T) {
	s := variant{CSV, Options{Fields: []string{"end", "power"}}}.shape(t)
	err := check(s, "end,energy_J\n2026-03-04T05:06:07.890123Z,1\n", "")
	const want = `it begins with "end,energy_J", but the readings to append are csv with the header "end,power_W"`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// The mark says what lines can't.
func TestShapeMark(t *testing.T) {
	mW := variant{Plain, Options{}}.shape(t)
	text := example(t, Plain, Options{})
	for _, u := range []Unit{Microwatt, Millijoule, Microjoule} {
		s := variant{Plain, Options{Unit: &u}}.shape(t)
		if err := check(s, text, ""); err != nil {
			t.Errorf("%s: %v", u.Name, err)
		}
		const there = `it holds readings that are plain with times in us and power in mW, but `
		if err := check(s, text, mW.String()); err == nil || !strings.HasPrefix(err.Error(), there) {
			t.Errorf("%s: got %v, want %s...", u.Name, err, there)
		}
	}
	if err := check(mW, text, mW.String()); err != nil {
		t.Error(err)
	}
}

// A second run's rows go on where the first run's ended: their numbers, their
// seconds, and the clock of the file.
func TestOSCARGoesOn(t *testing.T) {
	file := example(t, OSCAR, Options{Meter: "rack 1", Began: epoch.In(time.FixedZone("", 2*3600))})
	lines := strings.Split(strings.TrimSpace(file), "\n")
	o := Options{
		Meter: "renamed", Began: epoch, HeaderApart: true,
		Head: []byte(file), Last: []byte(lines[len(lines)-1]),
	}
	if err := (variant{OSCAR, Options{Began: epoch}}).shape(t).Check(o.Head, o.Last, nil, ""); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	sink := sinkTo(t, OSCAR, &out, o)
	e := reading(1, 1)
	e.Reading.End = time.Date(2026, 3, 4, 5, 6, 11, 400e6, time.UTC) // within the second of the last row
	if err := sink.Event(&e); err != nil {
		t.Fatal(err)
	}
	if want := "4;04.03.26, 07:06:12;1,000;0,000;0,000;\n"; out.String() != want {
		t.Errorf("got %q behind %q, want %q", &out, lines[len(lines)-1], want)
	}
}

// The clock is not put back an hour within a file, which OSCAR would take for a
// mistake.
func TestOSCARKeepsItsOffset(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 10, 25, 1, 59, 58, 0, berlin).Add(time.Hour) // of two 02:59:58, the first
	var out bytes.Buffer
	sink := sinkTo(t, OSCAR, &out, Options{Began: began})
	for s := range 4 {
		e := reading(1, 1)
		e.Reading.End = began.Add(time.Duration(s) * time.Second)
		if err := sink.Event(&e); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Split(strings.TrimSpace(line), ";")[min(1, strings.Count(line, ";"))])
	}
	want := "[powerspy, oscar 1, UTC+02:00 Zeit 25.10.26, 02:59:58 25.10.26, 02:59:59 25.10.26, 03:00:00 25.10.26, 03:00:01]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// FuzzShape: no file of ours is refused, whatever was measured.
func FuzzShape(f *testing.F) {
	f.Add(171.14, int64(1772600767890123456), 50, "the meter was silent", "rack 1")
	f.Fuzz(func(t *testing.T, power float64, ns int64, windows int, text, name string) {
		if ns < 0 {
			return // before 1970 no time is measured
		}
		end := time.Unix(0, ns)
		events := []measure.Event{
			{Kind: measure.ReadingEvent, Reading: measure.Reading{Start: end, End: end, Windows: windows, Power: power, PowerMin: -power, PowerMax: power, Energy: power}},
			{Kind: measure.GapEvent, Gap: meter.Gap{From: end, To: end, Windows: windows, Reason: text}},
		}
		for _, v := range variants() {
			v.o.Meter = name
			var out bytes.Buffer
			sink := sinkTo(t, v.format, &out, v.o)
			for _, e := range events {
				if err := sink.Event(&e); err != nil {
					t.Fatal(err)
				}
			}
			if out.Len() == 0 {
				continue
			}
			if err := check(v.shape(t), out.String(), ""); err != nil {
				t.Errorf("%v: %q: %v", v, &out, err)
			}
		}
	})
}
