package sim

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/internal/field"
)

// fieldTest is one of a meter that refuses windows of one period, is silent with
// two, leaves out one in four and damages one in four of five periods, and does
// well with ten, after 3 s.
func fieldTest() *field.File {
	done := field.Outcome{Status: field.Done}
	counts := field.Counts{VoltageSquare: 8_000_000, CurrentSquare: 1_000_000, Power: 2_000_000, VoltagePeak: 4000, CurrentPeak: 2000}
	first := counts
	first.VoltageSquare *= 3
	stream := func(periods int, after float64, windows ...int) field.Stream {
		s := field.Stream{Outcome: done, Periods: periods, Hertz: 50, Starts: []field.Start{{After: after, First: first, Second: counts}}}
		for i, w := range windows {
			f := field.Frame{Window: w, Delay: 7 * time.Millisecond, Counts: counts}
			if i > 0 && w-windows[i-1] > 2 {
				f.Damaged = 1
			}
			s.Frames = append(s.Frames, f)
		}
		return s
	}
	eeprom := bytes.Repeat([]byte{0xff}, field.EEPROMSize)
	copy(eeprom[addrFactory:], newEEPROM(&Config{Factory: factoryCalibration, Current: currentCalibration})[addrFactory:addrLogPeriod])
	eeprom[100] = 42
	return &field.File{
		Format: field.Format, Version: field.Version,
		Meter:      field.Meter{Generation: 2, Serial: 77, Firmware: 0x41, Hardware: 0x05, Frequency: 50},
		RoundTrips: field.RoundTrips{Outcome: done, Milliseconds: []float64{30}, Shortest: 30},
		EEPROM:     field.EEPROM{Outcome: done, Bytes: eeprom},
		Mains:      field.Mains{Outcome: done, Answers: []field.MainsAnswer{{At: 0, Hertz: 50.01}, {At: 2, Hertz: 49.9}}},
		Streams: []field.Stream{
			{Outcome: field.Outcome{Status: field.Refused}, Periods: 1},
			{Outcome: field.Outcome{Status: field.Silent}, Periods: 2},
			stream(5, 120, 0, 3, 4, 7, 8, 11),
			stream(10, 3210, 0, 1, 2, 3),
			{Outcome: field.Outcome{Status: field.Failed}, Periods: 25},
		},
		Capture: field.Capture{
			Outcome: done, Periods: 2,
			Text: field.Answer{Outcome: done, Raw: []byte("200000")}, Binary: field.Answer{Outcome: field.Outcome{Status: field.Refused}},
		},
		Card: field.Card{
			Outcome: done, Files: []field.Log{{Name: "260101.DAT", Size: 3000}},
			First: field.Beginning{Outcome: done, Name: "260101.DAT", Bytes: []byte("begins")},
		},
	}
}

func writeField(t *testing.T, path string, f *field.File) {
	t.Helper()
	var b bytes.Buffer
	if err := field.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A simulated meter behaves as the file says.
func TestField(t *testing.T) {
	path := filepath.Join(t.TempDir(), "field.json")
	writeField(t, path, fieldTest())
	cfg, err := ParseSpec("field=" + path)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		m := New(cfg)
		c := dial(t, m)
		defer c.close()
		began := time.Now()
		// The PLL was not locked, and no threshold is set.
		c.want("<?>", "<POWERSPYR00FF4105004D>")
		if trip := time.Since(began); trip != 30*time.Millisecond {
			t.Errorf("a round trip of %v", trip)
		}
		c.want("<V64>", "<2A>")
		c.want("<F>", "<F6BFA>") // 1382400 / 50.01
		time.Sleep(2 * time.Second)
		c.want("<F>", "<F6C37>") // 1382400 / 49.9
		c.want("<J0001>", "<Z>")
		c.want("<J0002>", "<K>")
		if f, _ := c.frame(5 * time.Second); f != "" {
			t.Errorf("windows of two periods: %s", f)
		}
		c.want("<L02>", "<K>")
		c.want("<Q>", "<K>")
		c.want("<S>", "<K>")
		time.Sleep(time.Second)
		c.want("<A>", "<A200000>")
		c.want("<B>", "<Z>")
		c.want("<U>", "<260101.DAT:BB8/>")
		c.send("<X260101 0000>")
		time.Sleep(time.Second)
		block := make([]byte, 2*blockSize)
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(block); err != nil || n != blockSize || !bytes.HasPrefix(block, []byte("<begins")) {
			t.Errorf("the first block: %d bytes, %.10q, %v", n, block, err)
		}
		// Lengths that were not tried, or failed, are as shorter ones.
		for _, periods := range []string{"0005", "0007"} {
			fieldPattern(t, m, c, periods)
		}
		for _, periods := range []string{"000A", "0019"} {
			c.rest = nil
			c.want("<J"+periods+">", "<K>")
			asked := time.Now()
			f, at := c.frame(10 * time.Second)
			if f == "" || at.Sub(asked) < 3*time.Second {
				t.Errorf("windows of 0x%s periods: the first frame %q came after %v", periods, f, at.Sub(asked))
			}
			if truth, ok := m.Truth(0); !ok || math.Abs(truth.Factor-3) > 1e-6 {
				t.Errorf("windows of 0x%s periods: factor %g", periods, truth.Factor)
			}
			c.want("<Q>", "<K>")
		}
	})
}

// fieldPattern checks a stream of which windows are left out and damaged as in
// fieldTest.
func fieldPattern(t *testing.T, m *Meter, c *client, periods string) {
	t.Helper()
	c.rest = nil
	c.want("<J"+periods+">", "<K>")
	whole, damaged := 0, 0
	for began := time.Now(); time.Since(began) < 60*time.Second; {
		f, at := c.frame(time.Second)
		s, _ := m.Stream()
		last, ok := m.Truth(s.Windows - 1)
		switch {
		case !ok || f == "":
			continue
		case len(f) == len("<007A1FCA 001F82FB 003AC29C 0FA9 0AB5>") && !strings.ContainsAny(f[1:len(f)-1], "<>"):
			whole++
		default:
			damaged++
		}
		if late := at.Sub(last.End); late.Round(time.Microsecond) != 7*time.Millisecond {
			t.Fatalf("windows of 0x%s periods: a frame came %v after its window", periods, late)
		}
	}
	s, _ := m.Stream()
	leftOut := 0
	for i := range s.Windows {
		if truth, ok := m.Truth(i); ok && truth.LeftOut {
			leftOut++
		}
	}
	if share := float64(leftOut) / float64(s.Windows); math.Abs(share-0.25) > 0.02 {
		t.Errorf("windows of 0x%s periods: %.2f are left out", periods, share)
	}
	if damaged < whole/8 {
		t.Errorf("windows of 0x%s periods: %d damaged frames, %d whole ones", periods, damaged, whole)
	}
	if whole == 0 || math.Abs(m.Config().Power-2_000_000*float64(currentCalibration.Voltage)*float64(currentCalibration.Current)) > 0.01 {
		t.Errorf("%d whole frames, %g W", whole, m.Config().Power)
	}
	c.want("<Q>", "<K>")
}

// What a file can't be, and what does not go with one.
func TestFieldRefused(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeField(t, in("good"), fieldTest())
	version, none, choosy := fieldTest(), fieldTest(), fieldTest()
	version.Version = 9
	none.Streams = none.Streams[4:]
	choosy.Streams = choosy.Streams[:1]
	writeField(t, in("version"), version)
	writeField(t, in("none"), none)
	writeField(t, in("choosy"), choosy)
	for name, text := range map[string]string{"torn": `{"format": "powerspy field te`, "log": "1\t2\t3\n"} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for spec, want := range map[string]string{
		"field":                                "needs a value: field=FILE",
		"field=" + in("missing"):               "no such file",
		"field=" + dir:                         "is not a regular file",
		"field=" + in("version"):               in("version") + ": a field test of version 9, where this program knows version 1",
		"field=" + in("torn"):                  "ends in the middle",
		"field=" + in("log"):                   "not the file of a field test",
		"field=" + in("none"):                  "has no stream",
		"field=" + in("good") + ",link=a":      "has its own link",
		"field=" + in("good") + ",first=5":     "has its own first frames",
		"field=" + in("good") + ",load=step":   "",
		"field=" + in("good") + ",gen=1":       "",
		"field=" + in("good") + ",jitter=10ms": "",
		"field=" + in("good") + ",noise=0.1":   "",
		"field=" + in("choosy"):                "",
		"load=field":                           "there is no field test",
	} {
		_, err := ParseSpec(spec)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
	// Keys come on top of the file.
	cfg, err := ParseSpec("field=" + in("good") + ",serial=99,freq=60")
	if err != nil || cfg.Serial != 99 || cfg.Frequency != 60 || cfg.Firmware != 0x41 {
		t.Errorf("%+v, %v", cfg, err)
	}
	if e := New(cfg).EEPROM(); e.serial() != 99 || e[100] != 42 {
		t.Errorf("serial number %d, byte 100: %d", e.serial(), e[100])
	}
}

// A card that is fuller than a simulated one can be takes no more, and a long
// file has the beginning that was read.
func TestFieldCard(t *testing.T) {
	f := fieldTest()
	f.Card.Files = append(f.Card.Files, field.Log{Name: "260102.DAT", Size: cardSize + 1})
	path := filepath.Join(t.TempDir(), "field.json")
	writeField(t, path, f)
	cfg, err := ParseSpec("field=" + path)
	if err != nil {
		t.Fatal(err)
	}
	m := New(cfg)
	m.card.append("260103.DAT", []byte("log"), m.rnd)
	files := m.Files()
	if len(files) != 3 || len(files[0].Content) != 3000 || !bytes.HasPrefix(files[0].Content, []byte("begins")) || len(files[1].Content) != cardSize+1 || len(files[2].Content) != 0 {
		t.Errorf("%d files", len(files))
	}
}
