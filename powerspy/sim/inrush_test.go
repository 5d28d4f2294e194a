package sim

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// inrushOf is a meter whose load is switched on after half a second, with
// 15 A, and off half a second later.
func inrushOf(pf float64) *Meter {
	return New(Config{Load: LoadInrush, Power: 100, LowPower: 5, Inrush: 15, LoadPeriod: time.Second, PF: pf, Drift: 1e-3})
}

// Period by period, the samples of a capture have the rms current, the mean
// power and the peak that the frames of the real-time mode tell.
func TestInrushIsOneEverywhere(t *testing.T) {
	for _, pf := range []float64{1, 0.95, 0.6} {
		m := inrushOf(pf)
		us, is := float64(m.scale.Voltage), float64(m.scale.Current)
		most := 0.0
		for n := range 100 {
			truth := m.electric(m.mains.seconds(float64(n)), m.mains.seconds(float64(n+1)))
			var square, power, peak float64
			for _, s := range m.waveform(float64(n), 1) {
				u, i := us*float64(s.u), is*float64(s.i)
				square += i * i / samplesPerPeriod
				power += u * i / samplesPerPeriod
				peak = max(peak, math.Abs(i))
			}
			// Where it is switched on, the sample at the crest stands for the
			// time on both sides of it.
			if !near(math.Sqrt(square), truth.Current, 0.03) || !near(power, truth.Power, 0.03) || !near(peak, truth.CurrentPeak, 0.01) {
				t.Errorf("pf %g, period %d: capture %g A, %g W, peak %g A; frames %+v", pf, n, math.Sqrt(square), power, peak, truth)
			}
			most = max(most, peak)
		}
		if !near(most, 15, 0.01) {
			t.Errorf("pf %g: a peak of %g A, want 15 A", pf, most)
		}
	}
}

// It begins at a crest of the voltage with the peak, decays, and is over when
// the load has its power; it comes again with each switching on.
func TestInrushDecays(t *testing.T) {
	m := inrushOf(0.95)
	for _, second := range []int{0, 1, 7200} {
		on := float64(second) + 0.5
		first := math.Ceil(m.mains.periods(on)-0.25) - 1 // in whose positive half wave it is switched on
		samples := m.waveform(first, 25)
		var crests []float64
		for k := samplesPerPeriod / 4; k < len(samples); k += samplesPerPeriod / 2 {
			crests = append(crests, math.Abs(float64(samples[k].i))*float64(m.scale.Current))
		}
		i := 0
		for crests[i] < 1 {
			i++
		}
		before := samples[samplesPerPeriod/4+i*samplesPerPeriod/2-1]
		if i > 2 || i%2 != 0 || float64(before.i)*float64(m.scale.Current) > 0.1 {
			t.Errorf("after %g s: switched on in half wave %d, after a sample of %d counts", on, i, before.i)
		}
		if !near(crests[i], 15, 0.01) {
			t.Errorf("after %g s: begins with %g A", on, crests[i])
		}
		steady := 100 / (230 * 0.95) * m.shape.crest
		for ; i+1 < len(crests) && crests[i] > 1.02*steady; i++ {
			if crests[i+1] >= crests[i] {
				t.Errorf("after %g s: %g A follow %g A", on, crests[i+1], crests[i])
			}
		}
		if last := crests[len(crests)-1]; !near(last, steady, 0.01) {
			t.Errorf("after %g s: ends with %g A, want %g A", on, last, steady)
		}
	}
}

// A capture that waits for a peak begins so many periods before the inrush.
func TestCaptureOfInrush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := dial(t, inrushOf(0.95))
		defer c.close()
		c.want("<L05>", "<K>")
		fiveAmperes := uint16(5 / currentCalibration.Current)
		c.want("<T0102"+strings.Repeat("0000", 7)+fmt.Sprintf("%04X>", fiveAmperes), "<K>")
		c.want("<S>", "<K>")
		time.Sleep(400 * time.Millisecond)
		c.want("<A>", "<Z>")
		time.Sleep(time.Second)
		text := c.ask("<A>")
		begin := -1
		for k := 0; 8+8*k+8 <= len(text) && begin < 0; k++ {
			if int16(hex(text).number(12+8*k, 4)) > int16(fiveAmperes) {
				begin = k
			}
		}
		if want := 2*samplesPerPeriod + samplesPerPeriod/4; begin != want {
			t.Errorf("the inrush begins with sample %d, want %d", begin, want)
		}
	})
}

func TestInrushConfig(t *testing.T) {
	for spec, want := range map[string]string{
		"load=inrush":              "",
		"load=inrush,inrush=17":    "",
		"load=inrush,inrush=17.1":  "inrush of 17.1 A is outside 0 to 17",
		"load=inrush,inrush=-1":    "not above 0",
		"load=inrush,inrush=NaN":   "not above 0",
		"load=inrush,period=199ms": "below 200ms",
	} {
		_, err := ParseSpec(spec)
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", spec, err, want)
		}
	}
}
