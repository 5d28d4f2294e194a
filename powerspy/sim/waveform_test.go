package sim

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A capture of the waveform has the rms values, the power, the power factor
// and the peaks of the load that was simulated.
func TestWaveform(t *testing.T) {
	for _, pf := range []float64{1, 0.95, 0.6, 0.3} {
		for _, power := range []float64{150, -80} {
			m := New(Config{Power: power, PF: pf})
			const periods = 10
			samples := m.waveform(0, periods)
			if len(samples) != periods*256 {
				t.Fatalf("%d samples", len(samples))
			}
			us, is := float64(m.scale.Voltage), float64(m.scale.Current)
			var u2, i2, p, up, ip float64
			for _, s := range samples {
				u, i := us*float64(s.u), is*float64(s.i)
				u2 += u * u
				i2 += i * i
				p += u * i
				up, ip = max(up, u), max(ip, i)
			}
			n := float64(len(samples))
			truth := m.electric(0, periods/50.)
			u, i := math.Sqrt(u2/n), math.Sqrt(i2/n)
			p /= n
			if !near(u, truth.Voltage, 1e-3) || !near(i, truth.Current, 1e-2) || !near(p, power, 1e-2) ||
				!near(math.Abs(p)/u/i, pf, 1e-2) || !near(up, truth.VoltagePeak, 1e-3) || !near(ip, truth.CurrentPeak, 1e-2) {
				t.Errorf("pf %g: %g V, %g A, %g W, peaks %g V, %g A; truth %+v", pf, u, i, p, up, ip, truth)
			}
		}
	}
}

func TestWaveformOfNothing(t *testing.T) {
	m := New(Config{Load: LoadZero})
	var p float64
	samples := m.waveform(0, 50)
	for _, s := range samples {
		p += float64(s.u) * float64(s.i) * float64(m.scale.Voltage) * float64(m.scale.Current)
	}
	if p /= float64(len(samples)); p < -0.2 || p > 0.05 {
		t.Errorf("%g W", p)
	}
}

// The capture of a step begins with the period that fulfilled the trigger, or
// so many before.
func TestCaptureOfStep(t *testing.T) {
	for _, before := range []int{0, 3, 255} {
		t.Run(fmt.Sprint(before), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// 20 W for 5 s, then 200 W.
				m := New(Config{Load: LoadStep, LowPower: 20, Power: 200, PF: 1})
				c := dial(t, m)
				defer c.close()
				c.want("<L08>", "<K>")
				c.want(fmt.Sprintf("<T01%02X", before)+"0000"+"0395"+strings.Repeat("0000", 6)+">", "<K>") // 0.5 A
				c.want("<S>", "<K>")
				c.want("<A>", "<Z>") // Still waiting.
				c.want("<B>", "<Z>")
				time.Sleep(6 * time.Second)
				text := c.ask("<A>")
				if want := 1 + 1 + 2 + 4 + 8*8*256 + 1; len(text) != want || !strings.HasPrefix(text, "<A200800") {
					t.Fatalf("%d characters, want %d: %.20q", len(text), want, text)
				}
				largest := func(period int) (most int16) {
					for k := range 256 {
						i := int16(hex(text).number(8+(period*256+k)*8+4, 4))
						most = max(most, i)
					}
					return most
				}
				pre := min(before, 7)
				for p := range 8 {
					want := 0.87 * math.Sqrt2 / float64(currentCalibration.Current)
					if p < pre {
						want /= 10
					}
					if got := largest(p); !near(float64(got), want, 0.01) {
						t.Errorf("period %d has a peak of %d counts, want %g", p, got, want)
					}
				}

				c.send("<B>")
				time.Sleep(time.Millisecond)
				raw := make([]byte, 2+8*1024+3)
				if n, err := c.Read(raw); err != nil || n != len(raw) || string(raw[:2]) != "<B" || string(raw[n-3:]) != ">\n\r" {
					t.Fatalf("%d bytes: %v", n, err)
				}
				for k := range 8 * 256 {
					u, i := binary.BigEndian.Uint16(raw[2+4*k:]), binary.BigEndian.Uint16(raw[4+4*k:])
					if int(u) != hex(text).number(8+8*k, 4) || int(i) != hex(text).number(12+8*k, 4) {
						t.Fatalf("sample %d differs", k)
					}
				}
				c.want("<C>", "<Z>")
				c.want("<A>", "<Z>")
			})
		})
	}
}
