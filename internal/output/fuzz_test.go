package output

import (
	"bytes"
	stdcsv "encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
)

// Whatever is in an event, a line stays a line that its readers understand.
func FuzzFormats(f *testing.F) {
	f.Add(171.14, 0.78, int64(1772600767890123456), int64(1e9), 50, "the meter was silent", "rack 1")
	f.Add(-1e-9, 1e308, int64(-1), int64(-5), -1, "a \"b\" \\\n\xff", `a=b,c \`)
	var zero float64
	f.Add(zero/zero, 1/zero, int64(0), int64(0), 0, "", "\\")
	f.Fuzz(func(t *testing.T, power, current float64, ns, length int64, windows int, text, meterName string) {
		start := time.Unix(0, ns)
		end := start.Add(time.Duration(length))
		events := []measure.Event{
			{Kind: measure.ReadingEvent, Reading: measure.Reading{
				Start: start, End: end, Length: time.Duration(length), Windows: windows,
				Power: power, PowerMin: -power, PowerMax: power, Voltage: 230, Current: current, Energy: power, Frequency: current, Delay: time.Duration(length),
			}},
			{Kind: measure.GapEvent, Gap: meter.Gap{From: start, To: end, Windows: windows, Reason: text}},
			{Kind: measure.StatusEvent, Status: meter.Status{Time: start, Phase: meter.Phase(windows), Text: text}},
		}
		write := func(format Format) string {
			var out bytes.Buffer
			sink := sinkTo(t, format, &out, Options{Meter: meterName})
			for _, e := range events {
				if err := sink.Event(&e); err != nil {
					t.Fatal(err)
				}
			}
			return out.String()
		}

		n := 0
		for line := range strings.Lines(write(JSONL)) {
			var object map[string]any
			if err := json.Unmarshal([]byte(line), &object); err != nil {
				t.Errorf("%q: %v", line, err)
			}
			if object["type"] != events[n].Kind.String() {
				t.Errorf("%q is no %s", line, events[n].Kind)
			}
			n++
		}
		if n != len(events) {
			t.Errorf("jsonl: %d lines", n)
		}

		records, err := stdcsv.NewReader(strings.NewReader(write(CSV))).ReadAll()
		if err != nil || len(records) != 2 || len(records[1]) != len(fields) {
			t.Errorf("csv: %q, %v", records, err)
		}

		lines := strings.SplitAfter(write(Influx), "\n")
		if len(lines) != 3 || lines[2] != "" {
			t.Fatalf("influx: %q", lines)
		}
		want := strings.TrimRight(oneLine(meterName), `\`)
		for _, line := range lines[:2] {
			got, err := readInfluxMeter(line)
			if err != nil || got != want {
				t.Errorf("influx %q: meter %q, %v, want %q", line, got, err, want)
			}
		}

		for _, format := range []Format{Plain, Table, OSCAR} {
			if out := write(format); strings.Contains(strings.ToLower(out), "nan") && !strings.Contains(strings.ToLower(meterName), "nan") || strings.Contains(out, "Inf") && !strings.Contains(meterName, "Inf") {
				t.Errorf("%s: %q", format, out)
			}
		}
	})
}

// readInfluxMeter reads a line as the database does: a backslash takes away
// the meaning of a comma, an equals sign or a space, and is itself otherwise.
// It returns the meter's tag.
func readInfluxMeter(line string) (string, error) {
	series, rest := untilInflux(line, ' ')
	_, tags := untilInflux(series, ',')
	if !strings.Contains(rest, "=") {
		return "", fmt.Errorf("no fields in %q", rest)
	}
	if tags == "" {
		return "", nil
	}
	key, value := untilInflux(tags, '=')
	if key != "meter" || value == "" {
		return "", fmt.Errorf("tag %q has the value %q", key, value)
	}
	if _, more := untilInflux(value, ','); more != "" {
		return "", fmt.Errorf("a second tag: %q", more)
	}
	return strings.NewReplacer(`\,`, `,`, `\=`, `=`, `\ `, ` `).Replace(value), nil
}

// untilInflux cuts s at the first c without a backslash before it.
func untilInflux(s string, c byte) (before, after string) {
	for i := range len(s) {
		if s[i] == c && (i == 0 || s[i-1] != '\\') {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
