package fieldtest

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/internal/field"
	"powerspy2/meter"
)

// examine examines a simulated meter, within a bubble, and checks that it was
// left as it was.
func examine(t *testing.T, spec string, keep bool) *field.File {
	t.Helper()
	target, err := meter.ParseTarget("sim:" + spec)
	if err != nil {
		t.Fatal(err)
	}
	m, err := target.Simulator()
	if err != nil {
		t.Fatal(err)
	}
	eeprom, files := m.EEPROM(), m.Files()
	f, err := Examine(t.Context(), Config{Meter: meter.Config{Target: target}, Program: "test", KeepIdentity: keep})
	if err != nil {
		t.Fatal(err)
	}
	if m.Measuring() || m.Connected() {
		t.Errorf("the meter streams: %t, or is connected: %t", m.Measuring(), m.Connected())
	}
	if eeprom != m.EEPROM() {
		t.Error("the EEPROM has changed")
	}
	if diff := cmp.Diff(files, m.Files()); diff != "" {
		t.Errorf("the SD card has changed (-before +after):\n%s", diff)
	}
	return f
}

// save writes a file for the simulator to read.
func save(t *testing.T, f *field.File) (path string) {
	t.Helper()
	var b bytes.Buffer
	if err := field.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "field.json")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A field test, read back into a simulator, whose field test has the same
// findings.
func TestAccuracyRoundTrip(t *testing.T) {
	for name, spec := range map[string]string{
		"a":           "link=a,files=0/5000/2046/20000",
		"b":           "link=b,first=cleared,load=wave,noise=0.01,files=0/7",
		"V1":          "link=c,gen=1,freq=59.98,volts=120",
		"choosy":      "link=ideal,first=clean,refuse-under=2,silent-under=5,files=none",
		"exponential": "link=exponential,refuse=B,load=zero",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				want := examine(t, spec, true)
				if took := time.Since(began); took < 2*time.Minute || took > 6*time.Minute {
					t.Errorf("it took %v", took)
				}
				got := examine(t, "field="+save(t, want), true)
				compare(t, want, got)
			})
		})
	}
}

// compare compares what two field tests found.
func compare(t *testing.T, want, got *field.File) {
	t.Helper()
	same := func(name string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	trigger := got.Meter.Trigger
	got.Meter.Trigger = want.Meter.Trigger // of the moment
	want.Meter.Frequency, got.Meter.Frequency = math.Round(want.Meter.Frequency), math.Round(got.Meter.Frequency)
	same("meter", want.Meter, got.Meter)
	got.Meter.Trigger = trigger
	same("EEPROM", want.EEPROM, got.EEPROM)
	same("capture", want.Capture, got.Capture)
	got.Card.Error = want.Card.Error // which name the meter
	same("card", want.Card, got.Card)
	same("mains", want.Mains.Status, got.Mains.Status)
	if a, b := meanHertz(want), meanHertz(got); math.Abs(a-b) > 0.005 {
		t.Errorf("F answers %.4f Hz on average, not %.4f", b, a)
	}
	if a, b := median(want.RoundTrips.Milliseconds), median(got.RoundTrips.Milliseconds); math.Abs(a-b) > 5+a/2 {
		t.Errorf("round trips of %.1f ms, not %.1f", b, a)
	}
	for i, w := range want.Streams {
		g := got.Streams[i]
		if w.Periods != g.Periods || w.Status != g.Status {
			t.Errorf("windows of %d periods: %s, not %s (%s)", w.Periods, g.Status, w.Status, g.Error)
			continue
		}
		compareStreams(t, &w, &g)
	}
}

func compareStreams(t *testing.T, want, got *field.Stream) {
	t.Helper()
	if want.Status != field.Done {
		return
	}
	w, g := want.Figures, got.Figures
	windows := float64(w.Frames + w.LeftOut + w.Damaged)
	near := func(what string, want, have, tolerance float64) {
		t.Helper()
		if !(math.Abs(want-have) <= tolerance) {
			t.Errorf("windows of %d periods: %s %.4g, not %.4g +-%.2g", got.Periods, what, have, want, tolerance)
		}
	}
	share := func(p float64) float64 { return 3*math.Sqrt(2*p*(1-p)/windows) + 2/windows }
	near("share left out", w.LeftOutShare, g.LeftOutShare, share(w.LeftOutShare))
	near("share damaged", w.DamagedShare, g.DamagedShare, share(w.DamagedShare))
	near("frames a second", w.Rate, g.Rate, 0.03*w.Rate+2/w.Seconds)
	few := 60 / math.Sqrt(float64(w.Frames))
	near("median delay", w.Delay.Median, g.Delay.Median, 2+few)
	near("95 % of delays", w.Delay.P95, g.Delay.P95, 3+2*few)
	near("mains", want.Hertz, got.Hertz, 0.03)
	if len(want.Starts) != len(got.Starts) {
		t.Errorf("%d starts, not %d", len(got.Starts), len(want.Starts))
	}
	for _, s := range got.Starts {
		if !slices.ContainsFunc(want.Starts, func(o field.Start) bool { return math.Abs(o.Factor()/s.Factor()-1) < 0.02 }) {
			t.Errorf("windows of %d periods: first frame %.3f times too large, as none was", want.Periods, s.Factor())
		}
	}
	power := func(s *field.Stream) (sum float64) {
		for _, f := range s.Frames[1:] {
			sum += float64(f.Power) / float64(len(s.Frames)-1)
		}
		return sum
	}
	if want.Periods > 1 {
		return // the load goes on from one stream to the next
	}
	if a, b := power(want), power(got); math.Abs(a-b) > 0.05*math.Abs(a)+1000 {
		t.Errorf("windows of %d periods: power %.0f counts, not %.0f", want.Periods, b, a)
	}
}

func meanHertz(f *field.File) (sum float64) {
	for _, a := range f.Mains.Answers {
		sum += a.Hertz / float64(len(f.Mains.Answers))
	}
	return sum
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
