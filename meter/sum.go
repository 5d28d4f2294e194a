package meter

import (
	"math"
	"time"

	"powerspy2/powerspy"
)

// A sum collects the windows of a reading. They all have the same number of
// mains periods, and the frequency changes too little within a reading for
// means to need weights; energy takes each with its own length.
type sum struct {
	n                        int
	start, end               time.Time
	length                   time.Duration
	delay                    time.Duration // of the last window
	energy                   float64
	power                    float64
	powerMin, powerMax       float64
	voltage2, current2       float64
	voltagePeak, currentPeak float64
	interval                 int64
	ends, partial            bool
}

// add takes in a window whose frame arrived so long after its end.
func (s *sum) add(start, end time.Time, length, delay time.Duration, m powerspy.Measurement) {
	if s.n == 0 {
		s.start = start
		s.powerMin, s.powerMax = m.Power, m.Power
	}
	s.n++
	s.end = end
	s.length += length
	s.delay = delay
	s.energy += m.Power * length.Seconds()
	s.power += m.Power
	s.powerMin = min(s.powerMin, m.Power)
	s.powerMax = max(s.powerMax, m.Power)
	s.voltage2 += m.Voltage * m.Voltage
	s.current2 += m.Current * m.Current
	s.voltagePeak = max(s.voltagePeak, m.VoltagePeak)
	s.currentPeak = max(s.currentPeak, m.CurrentPeak)
}

// reading returns the means, extremes and energy of the windows.
func (s *sum) reading(frequency float64) Reading {
	n := float64(s.n)
	return Reading{
		Start: s.start, End: s.end, Length: s.length, Windows: s.n,
		Interval: s.interval, Ends: s.ends, Partial: s.partial,
		Power: s.power / n, PowerMin: s.powerMin, PowerMax: s.powerMax,
		Voltage:     math.Sqrt(s.voltage2 / n),
		Current:     math.Sqrt(s.current2 / n),
		VoltagePeak: s.voltagePeak, CurrentPeak: s.currentPeak,
		Energy: s.energy, Frequency: frequency, Delay: s.delay,
	}
}
