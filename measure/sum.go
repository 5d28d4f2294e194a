package measure

import (
	"math"
	"time"

	"powerspy2/meter"
)

// A sum collects the windows of a reading. They all have the same number of
// mains periods, and the frequency changes too little within a reading for
// means to need weights; energy takes each with its own length.
type sum struct {
	measured, bridged        int
	start, end               time.Time
	length                   time.Duration
	delay                    time.Duration // of the last window that was measured
	energy                   float64
	power                    float64
	powerMin, powerMax       float64
	voltage2, current2       float64
	voltagePeak, currentPeak float64
	frequency                float64
	interval                 int64
	ends, partial            bool
}

// windows returns how many windows there are so far.
func (s *sum) windows() int { return s.measured + s.bridged }

// add takes in a window.
func (s *sum) add(w *meter.Window) {
	if s.windows() == 0 {
		s.start = w.Start
		s.powerMin, s.powerMax = w.Power, w.Power
	}
	if w.Bridged {
		s.bridged++
	} else {
		s.measured++
		s.delay = w.Delay
	}
	s.end = w.End
	s.length += w.Length
	s.energy += w.Energy()
	s.power += w.Power
	s.powerMin = min(s.powerMin, w.Power)
	s.powerMax = max(s.powerMax, w.Power)
	s.voltage2 += w.Voltage * w.Voltage
	s.current2 += w.Current * w.Current
	s.voltagePeak = max(s.voltagePeak, w.VoltagePeak)
	s.currentPeak = max(s.currentPeak, w.CurrentPeak)
	s.frequency = w.Frequency
}

// reading returns the means, extremes and energy of the windows.
func (s *sum) reading() Reading {
	n := float64(s.windows())
	return Reading{
		Start: s.start, End: s.end, Length: s.length, Windows: s.measured, Bridged: s.bridged,
		Interval: s.interval, Ends: s.ends, Partial: s.partial,
		Power: s.power / n, PowerMin: s.powerMin, PowerMax: s.powerMax,
		Voltage:     math.Sqrt(s.voltage2 / n),
		Current:     math.Sqrt(s.current2 / n),
		VoltagePeak: s.voltagePeak, CurrentPeak: s.currentPeak,
		Energy: s.energy, Frequency: s.frequency, Delay: s.delay,
	}
}
