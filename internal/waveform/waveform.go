// Package waveform draws a captured waveform for people: voltage above
// current, over the same time.
package waveform

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"powerspy2/internal/picture"
	"powerspy2/powerspy"
)

const height = 12 * vg.Centimeter

// Draw writes a picture of the samples, which are in the order of time. The
// title may have several lines.
func Draw(w io.Writer, f picture.Format, title string, samples []powerspy.CaptureSample) error {
	if len(samples) == 0 {
		return fmt.Errorf("there are no samples to draw")
	}
	voltage, err := panel("voltage / V", color.RGBA{R: 0x1F, G: 0x4E, B: 0x9E, A: 0xFF}, samples,
		func(s powerspy.CaptureSample) float64 { return s.Voltage })
	if err != nil {
		return err
	}
	current, err := panel("current / A", color.RGBA{R: 0xB2, G: 0x2B, B: 0x1F, A: 0xFF}, samples,
		func(s powerspy.CaptureSample) float64 { return s.Current })
	if err != nil {
		return err
	}
	voltage.Title.Text = title
	voltage.X.Tick.Marker = unlabelled{voltage.X.Tick.Marker}
	current.X.Label.Text = "time / ms"

	return picture.Draw(w, f, height, voltage, current)
}

// panel plots one quantity over time in milliseconds.
func panel(label string, line color.Color, samples []powerspy.CaptureSample, of func(powerspy.CaptureSample) float64) (*plot.Plot, error) {
	points := make(plotter.XYs, len(samples))
	peak := 0.0
	for i, s := range samples {
		points[i] = plotter.XY{X: s.Time.Seconds() * 1000, Y: of(s)}
		peak = max(peak, math.Abs(points[i].Y))
	}
	curve, err := plotter.NewLine(points)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", label, err)
	}
	curve.Color, curve.Width = line, vg.Points(1)
	zero := plotter.NewFunction(func(float64) float64 { return 0 })
	zero.Color, zero.Width = color.Gray{Y: 0x80}, vg.Points(0.5)

	p := picture.New()
	p.Add(zero, curve)
	p.Y.Label.Text = label
	// Both panels span the same time, and zero is in the middle.
	p.X.Min, p.X.Max = span(points)
	if peak == 0 {
		peak = 1
	}
	p.Y.Min, p.Y.Max = -1.1*peak, 1.1*peak
	return p, nil
}

// span is the time that the points stand for: the last one lasts as long as
// the others. It is rounded to microseconds, lest a tick at the end is lost.
func span(points plotter.XYs) (from, to float64) {
	n := len(points)
	from, to = points[0].X, points[n-1].X
	if to > from {
		return from, math.Round((to+(to-from)/float64(n-1))*1000) / 1000
	}
	return from, from + 1
}

// unlabelled are ticks without their numbers.
type unlabelled struct{ plot.Ticker }

func (u unlabelled) Ticks(from, to float64) []plot.Tick {
	ticks := u.Ticker.Ticks(from, to)
	for i := range ticks {
		if !ticks[i].IsMinor() {
			// A tick is a minor one when it has no text at all.
			ticks[i].Label = " "
		}
	}
	return ticks
}
