package meter

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// Each frame is told of as it came, the first one too, and before the window
// that is made of it.
func TestArrivals(t *testing.T) {
	for live, spec := range map[bool]string{false: ",skip=1/5", true: ""} {
		synctest.Test(t, func(t *testing.T) {
			target, err := ParseTarget("sim:link=ideal,delay=10ms,first=7,load=constant,drift=0" + spec)
			if err != nil {
				t.Fatal(err)
			}
			m, err := Open(t.Context(), Config{Target: target})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			simulator, err := target.Simulator()
			if err != nil {
				t.Fatal(err)
			}
			var arrivals []Arrival
			s, err := m.Stream(t.Context(), StreamConfig{Averaging: 1, Live: live, Arrivals: func(a *Arrival) { arrivals = append(arrivals, *a) }})
			if err != nil {
				t.Fatal(err)
			}
			windows := 0
			for windows < 400 {
				e, err := s.Next()
				if err != nil {
					t.Fatal(err)
				}
				if e.Kind != WindowEvent || e.Window.Bridged {
					continue
				}
				windows++
				a := arrivals[len(arrivals)-1]
				if live && (a.Window.End != e.Window.End || m.Calibration().Convert(a.Frame) != e.Window.Measurement) {
					t.Fatalf("the window after %+v is %+v", a, e.Window)
				}
			}
			if err := s.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			index, late := 0, 0
			for i, a := range arrivals {
				switch {
				case i == 1:
					index = 1 // nobody knows yet when the first one ended
				case i > 1:
					index += 1 + a.Window.LeftOut
				}
				truth, ok := simulator.Truth(index)
				switch {
				case a.First != (i == 0) || a.Damaged != 0:
					t.Fatalf("frame %d: first %t, %d damaged", i, a.First, a.Damaged)
				case !ok || truth.LeftOut:
					late++
					continue
				}
				if d := a.Time.Sub(truth.End); (d - 10*time.Millisecond).Abs() > time.Millisecond {
					late++
				}
				if i == 0 {
					factor := float64(a.VoltageSquare) / float64(arrivals[1].VoltageSquare)
					if math.Abs(factor-7) > 0.01 || a.Sent <= 0 || a.Sent > 60*time.Millisecond {
						t.Errorf("the first frame is %g times too large and came after %v", factor, a.Sent)
					}
				}
			}
			if late > len(arrivals)/100 {
				t.Errorf("live %t: %d of %d frames are given to other windows than their own", live, late, len(arrivals))
			}
		})
	}
}
