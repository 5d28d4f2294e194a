// Package waveform draws a captured waveform for people: voltage above
// current, over the same time.
package waveform

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"powerspy2/powerspy"
)

// The size of a picture: the text width of a page of A4, and its resolution
// where it is made of pixels.
const (
	width  = 18 * vg.Centimeter
	height = 12 * vg.Centimeter
	dpi    = 200
)

// A Format is a kind of picture.
type Format string

// The formats that can be drawn.
const (
	PNG Format = "png"
	SVG Format = "svg"
)

// FormatOf returns the format that the extension of a file name asks for.
func FormatOf(name string) (Format, error) {
	switch f := Format(strings.TrimPrefix(strings.ToLower(filepath.Ext(name)), ".")); f {
	case PNG, SVG:
		return f, nil
	}
	return "", fmt.Errorf("%q is not the name of a picture; use one that ends in .png or .svg", name)
}

// Draw writes a picture of the samples, which are in the order of time. The
// title may have several lines.
func Draw(w io.Writer, f Format, title string, samples []powerspy.CaptureSample) error {
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

	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	switch f {
	case PNG:
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))}
	case SVG:
		canvas = vgsvg.New(width, height)
	default:
		return fmt.Errorf("unknown picture format %q", f)
	}
	const margin = 4 * vg.Millimeter
	tiles := draw.Tiles{Rows: 2, Cols: 1, PadX: margin, PadY: margin / 2, PadTop: margin, PadBottom: margin, PadLeft: margin, PadRight: margin}
	plots := [][]*plot.Plot{{voltage}, {current}}
	for i, c := range plot.Align(plots, tiles, draw.New(canvas)) {
		plots[i][0].Draw(c[0])
	}
	_, err = canvas.WriteTo(w)
	return err
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
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{Y: 0xD0}, color.Gray{Y: 0xD0}
	zero := plotter.NewFunction(func(float64) float64 { return 0 })
	zero.Color, zero.Width = color.Gray{Y: 0x80}, vg.Points(0.5)

	p := plot.New()
	p.Add(grid, zero, curve)
	p.Y.Label.Text = label
	p.Title.Padding = vg.Points(6)
	p.X.Padding, p.Y.Padding = 0, 0
	for _, style := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		style.Font.Variant = "Sans"
	}
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
