package client

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/internal/serve/api"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

// TestRemembered: all windows and marks up to now, by the server's clock, and no more; of
// a meter that is away what there is.
func TestRemembered(t *testing.T) {
	for name, last := range map[string]int{"measuring": 0, "away": 600} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.ahead, w.last, w.first = time.Hour, last, 100
				w.lines = []string{line(record.Line{Kind: record.MarkLine, Mark: measure.Mark{Time: w.begun.Add(w.ahead), Name: "load"}})}
				time.Sleep(20 * time.Second)
				asked := w.clock(time.Now())
				path := filepath.Join(t.TempDir(), "f.jsonl.zst")
				f, err := record.OpenFile(t.Context(), path, record.FileConfig{})
				if err != nil {
					t.Fatal(err)
				}
				c := w.client(new(Config))
				m, err := c.Remembered(t.Context(), f)
				if err != nil || m.Name != "bench" {
					t.Errorf("got %+v, %v", m, err)
				}
				c.Close()
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				rec, err := record.Open(t.Context(), path)
				if err != nil {
					t.Fatal(err)
				}
				defer rec.Close()
				notes, err := record.ReadNotes(t.Context(), path)
				if err != nil || len(notes.Marks) != 1 || notes.Marks[0].Name != "load" {
					t.Errorf("notes %+v, %v", notes, err)
				}
				var end time.Time
				next := w.first
				for {
					e, err := rec.Next()
					if err != nil {
						break // the end
					}
					if e.Kind != meter.WindowEvent {
						continue
					}
					if e.Window.Power != float64(next) {
						t.Fatalf("window %v, want %d", e.Window.Power, next)
					}
					next, end = next+1, e.Window.End
				}
				switch {
				case last > 0 && next != last+1:
					t.Errorf("%d windows, want %d", next, last+1)
				case last == 0 && (end.Before(asked) || end.Sub(asked) > 2*held):
					t.Errorf("until %v, want %v", end, asked)
				}
			})
		})
	}
}

// TestTooMuchRemembered: a server that tells without end, and one whose lines are
// compressed.
func TestTooMuchRemembered(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := io.WriteString(z, line(record.Line{Kind: record.HeaderLine, Header: record.Header{Start: time.Now(), Averaging: 1}})); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		begin string
		want  error
	}{
		"without end": {line(record.Line{Kind: record.HeaderLine, Header: record.Header{Start: time.Now(), Averaging: 1, Tool: "test", Meter: record.Meter{Name: "bench", Device: "sim:"}}}), ErrTooMuch},
		"compressed":  {packed.String(), ErrNoServer},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.handler = func(rw http.ResponseWriter, r *http.Request) bool {
					if !strings.HasSuffix(r.URL.Path, "/events") {
						return false
					}
					out := &flushed{rw, http.NewResponseController(rw)}
					err := out.write(tt.begin)
					for begun := w.begun.Add(-time.Hour); err == nil; {
						err = out.write(line(record.Line{Kind: record.EventLine, Event: meter.Event{Kind: meter.WindowEvent, Window: meter.Window{
							Start: begun, End: begun.Add(windowLength), Length: windowLength, Frequency: 50,
						}}}))
					}
					return true
				}
				f, err := record.OpenFile(t.Context(), filepath.Join(t.TempDir(), "f.jsonl"), record.FileConfig{})
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				c := w.client(new(Config))
				defer c.Close()
				c.most = 1 << 16
				if _, err := c.Remembered(t.Context(), f); !errors.Is(err, tt.want) || !errors.Is(err, meter.ErrNoAnswer) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
}

// TestNothingRemembered: of a meter that was never reached.
func TestNothingRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.handler = func(rw http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/events") {
				return false
			}
			out := &flushed{rw, http.NewResponseController(rw)}
			_ = out.write(line(record.Line{Kind: record.HeaderLine, Header: record.Header{Start: time.Now(), Tool: "test", Meter: record.Meter{Name: "bench", Device: "sim:"}}}))
			<-r.Context().Done()
			return true
		}
		f, err := record.OpenFile(t.Context(), filepath.Join(t.TempDir(), "f.jsonl"), record.FileConfig{})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c := w.client(new(Config))
		defer c.Close()
		var m api.Meter
		if m, err = c.Remembered(t.Context(), f); !errors.Is(err, ErrNothing) || !errors.Is(err, meter.ErrNoAnswer) {
			t.Errorf("got %+v, %v", m, err)
		}
	})
}
