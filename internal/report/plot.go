package report

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"powerspy2/internal/bench"
	"powerspy2/internal/harmless"
	"powerspy2/internal/picture"
)

// ErrNoPicture says that a report has nothing that can be drawn.
var ErrNoPicture = errors.New("there is nothing to draw: the result of a job is a table")

// Sizes of what is drawn without a browser.
const (
	powerHeight = 8 * vg.Centimeter
	rowHeight   = 2 * vg.Centimeter
	axisHeight  = 2 * vg.Centimeter
	columns     = 1300 // in which lowest and highest are told apart

	mostPanels = 20
)

var (
	areaColor = color.RGBA{0x4F, 0x93, 0xD2, 0xFF}
	lineColor = color.RGBA{0x08, 0x34, 0x6B, 0xFF}
	gapColor  = color.RGBA{0xC9, 0xCE, 0xD4, 0xFF}
	baseColor = color.RGBA{0x8A, 0x3D, 0x00, 0xFF}
	gridColor = color.RGBA{0xD0, 0xD4, 0xDA, 0xFF}
	softColor = color.RGBA{0x57, 0x60, 0x6A, 0xFF}

	bandColors = []color.Color{
		color.RGBA{0xE6, 0xEF, 0xFA, 0xFF}, color.RGBA{0xFD, 0xEE, 0xDD, 0xFF}, color.RGBA{0xE3, 0xF4, 0xE8, 0xFF},
		color.RGBA{0xF4, 0xE6, 0xF6, 0xFF}, color.RGBA{0xFB, 0xF6, 0xD5, 0xFF}, color.RGBA{0xE5, 0xF3, 0xF5, 0xFF},
	}
	seriesColors = []color.Color{
		color.RGBA{0x0B, 0x5F, 0xB0, 0xFF}, color.RGBA{0xB3, 0x48, 0x0B, 0xFF}, color.RGBA{0x1A, 0x7F, 0x4B, 0xFF},
		color.RGBA{0x8B, 0x3A, 0x9C, 0xFF}, color.RGBA{0x7A, 0x64, 0x00, 0xFF}, color.RGBA{0xB0, 0x24, 0x5F, 0xFF},
	}
)

// Picture draws recordings and benches below each other, without a browser. Errors
// are ErrNoPicture and those of w.
func (r *Report) Picture(w io.Writer, f picture.Format) error {
	r.localize()
	var plots []*plot.Plot
	var height vg.Length
	for _, rec := range r.Recordings {
		p, err := r.powerPlot(rec)
		if err != nil {
			return err
		}
		plots = append(plots, p)
		height += powerHeight
	}
	for _, b := range r.Benches {
		p, err := runsPlot(b)
		if err != nil {
			return err
		}
		plots = append(plots, p)
		height += axisHeight + rowHeight*vg.Length(len(b.Result.Series))
	}
	switch {
	case len(plots) == 0:
		return ErrNoPicture
	case len(plots) > mostPanels:
		return fmt.Errorf("a picture has room for %d files, not %d", mostPanels, len(plots))
	}
	return picture.Draw(w, f, max(height, powerHeight), plots...)
}

// newPlot returns a plot with type of the size of a paper's.
func newPlot() *plot.Plot {
	p := picture.New()
	p.Title.TextStyle.Font.Size = vg.Points(11)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font.Size, axis.Tick.Label.Font.Size = vg.Points(9), vg.Points(8)
	}
	return p
}

// rectangle fills a part of a plot.
func rectangle(p *plot.Plot, x0, x1, y0, y1 float64, fill color.Color) error {
	area, err := plotter.NewPolygon(plotter.XYs{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
	if err != nil {
		return err
	}
	area.Color, area.LineStyle.Width = fill, 0
	p.Add(area)
	return nil
}

func (r *Report) powerPlot(rec *Recording) (*plot.Plot, error) {
	p := newPlot()
	p.Title.Text = rec.name
	if rec.simulated {
		p.Title.Text += " (simulated)"
	}
	p.Y.Label.Text = "power / W"
	p.X.Label.Text = "time on " + rec.from.In(r.Zone).Format("2006-01-02, UTC-07:00")
	x := func(t time.Time) float64 { return t.Sub(rec.from).Seconds() }
	p.X.Tick.Marker = clockTicks{rec.from.In(r.Zone)}
	p.X.Min, p.X.Max = 0, x(rec.to)
	low, high := math.Min(rec.low, 0), rec.high
	if rec.baseline != nil {
		low, high = math.Min(low, rec.baseline.Power), math.Max(high, rec.baseline.Power)
	}
	room := math.Max(high-low, 0.1)
	if low < 0 {
		low -= 0.05 * room
	}
	high += 0.1 * room
	names := map[string]int{}
	var labels plotter.XYLabels
	for _, phase := range rec.phases {
		n, ok := names[phase.Name]
		if !ok {
			n = len(names)
			names[phase.Name] = n
		}
		if err := rectangle(p, x(phase.From), x(phase.To), low, high, bandColors[n%len(bandColors)]); err != nil {
			return nil, err
		}
		if phase.Duration().Seconds() > 0.05*p.X.Max {
			labels.XYs = append(labels.XYs, plotter.XY{X: x(phase.From), Y: high - 0.06*room})
			labels.Labels = append(labels.Labels, " "+cut(harmless.Text(phase.Name), int(110*phase.Duration().Seconds()/p.X.Max)))
		}
	}
	for _, g := range rec.gaps {
		if err := rectangle(p, x(g.From), x(g.To), low, high, gapColor); err != nil {
			return nil, err
		}
	}
	grid := plotter.NewGrid() // again, over the bands
	grid.Horizontal.Color, grid.Vertical.Color = gridColor, gridColor
	p.Add(grid)
	if err := rec.trace.plot(p, rec.trace.origin.Sub(rec.from).Seconds()); err != nil {
		return nil, err
	}
	if rec.baseline != nil {
		line, err := plotter.NewLine(plotter.XYs{{X: 0, Y: rec.baseline.Power}, {X: p.X.Max, Y: rec.baseline.Power}})
		if err != nil {
			return nil, err
		}
		line.Color, line.Width, line.Dashes = baseColor, vg.Points(1), []vg.Length{vg.Points(5), vg.Points(3)}
		p.Add(line)
	}
	if len(labels.Labels) > 0 {
		if err := write(p, labels, color.Black); err != nil {
			return nil, err
		}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, x(rec.to), low, high
	return p, nil
}

// write puts texts into a plot.
func write(p *plot.Plot, texts plotter.XYLabels, c color.Color) error {
	labels, err := plotter.NewLabels(texts)
	if err != nil {
		return err
	}
	for i := range labels.TextStyle {
		style := &labels.TextStyle[i]
		style.Font.Variant, style.Font.Size, style.Color, style.YAlign = "Sans", vg.Points(8), c, text.YCenter
	}
	p.Add(labels)
	return nil
}

// cut shortens a text to so many characters.
func cut(text string, n int) string {
	if letters := []rune(text); len(letters) > n {
		return string(letters[:max(n-1, 1)]) + "…"
	}
	return text
}

// plot draws a trace: for each column of the picture the lowest to the highest power,
// and the mean as a line. shift is the time in s from the left to its origin.
func (t *trace) plot(p *plot.Plot, shift float64) error {
	wide := p.X.Max / columns
	var lows, highs, means plotter.XYs
	flush := func() error {
		if len(means) == 0 {
			return nil
		}
		outline := append(plotter.XYs{}, highs...)
		for _, low := range slices.Backward(lows) {
			outline = append(outline, low)
		}
		area, err := plotter.NewPolygon(outline)
		if err != nil {
			return err
		}
		area.Color, area.LineStyle = areaColor, draw.LineStyle{Color: areaColor, Width: vg.Points(0.6)}
		line, err := plotter.NewLine(means)
		if err != nil {
			return err
		}
		line.Color, line.Width = lineColor, vg.Points(0.9)
		p.Add(area, line)
		lows, highs, means = nil, nil, nil
		return nil
	}
	for i := 0; i < len(t.points); {
		all := t.points[i]
		apart := i > 0 && t.points[i-1].end < all.start
		for i++; i < len(t.points) && t.points[i].start == all.end && (t.points[i].end-all.start).Seconds() <= wide; i++ {
			all.merge(&t.points[i])
		}
		if apart {
			if err := flush(); err != nil {
				return err
			}
		}
		a, b := all.start.Seconds()+shift, all.end.Seconds()+shift
		lows = append(lows, plotter.XY{X: a, Y: all.low}, plotter.XY{X: b, Y: all.low})
		highs = append(highs, plotter.XY{X: a, Y: all.high}, plotter.XY{X: b, Y: all.high})
		means = append(means, plotter.XY{X: a, Y: all.mean()}, plotter.XY{X: b, Y: all.mean()})
	}
	return flush()
}

// clockTicks are ticks at round times of the day, of seconds after a moment.
type clockTicks struct{ from time.Time }

var clockSteps = []time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second,
	15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
}

func (c clockTicks) Ticks(low, high float64) []plot.Tick {
	const most = 8
	all := time.Duration((high - low) * float64(time.Second))
	step := 24 * time.Hour * max(1, all/(24*time.Hour*most)+1)
	for _, s := range clockSteps {
		room := time.Duration(most)
		if s < time.Second {
			room = most / 2 // for longer texts
		}
		if all/s <= room {
			step = s
			break
		}
	}
	format := "15:04"
	switch {
	case step >= 24*time.Hour:
		format = "01-02"
	case step < time.Second:
		format = "15:04:05.000"
	case step < time.Minute:
		format = "15:04:05"
	}
	first := c.from.Add(time.Duration(low * float64(time.Second)))
	// Steps of the clock on the wall, whatever becomes of the offset from UTC.
	_, offset := first.Zone()
	wall := first.Add(time.Duration(offset) * time.Second).UTC().Truncate(step)
	var ticks []plot.Tick
	for ; ; wall = wall.Add(step) {
		at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), first.Location())
		if at.After(first.Add(all)) {
			break
		}
		if !at.Before(first) {
			ticks = append(ticks, plot.Tick{Value: at.Sub(c.from).Seconds(), Label: at.Format(format)})
		}
	}
	return ticks
}

// runsPlot draws the energies of the runs of each command in a row, with their mean and
// its interval.
func runsPlot(b Bench) (*plot.Plot, error) {
	p := newPlot()
	p.Title.Text = harmless.Text(b.Name)
	if b.Result.Meter.Simulated {
		p.Title.Text += " (simulated)"
	}
	p.X.Label.Text = "energy of an execution / J"
	p.Y.Tick.Marker = plot.ConstantTicks(nil)
	low, high := math.Inf(1), math.Inf(-1)
	var labels plotter.XYLabels
	n := len(b.Result.Series)
	for i := range b.Result.Series {
		s := &b.Result.Series[i]
		y := float64(n - 1 - i)
		c := seriesColors[i%len(seriesColors)]
		var dots plotter.XYs
		for k, v := range energies(s) {
			if !math.IsNaN(v) {
				dots = append(dots, plotter.XY{X: v, Y: y + float64(k*7%11-5)*0.025})
				low, high = math.Min(low, v), math.Max(high, v)
			}
		}
		if len(dots) > 0 {
			scatter, err := plotter.NewScatter(dots)
			if err != nil {
				return nil, err
			}
			scatter.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(2), Shape: draw.RingGlyph{}}
			p.Add(scatter)
		}
		t := bench.Summarize(s, bench.Energy)
		if !math.IsNaN(t.Interval.Low) {
			low, high = math.Min(low, t.Interval.Low), math.Max(high, t.Interval.High)
			bar, err := plotter.NewLine(plotter.XYs{{X: t.Interval.Low, Y: y - 0.25}, {X: t.Interval.High, Y: y - 0.25}})
			if err != nil {
				return nil, err
			}
			bar.Color, bar.Width = c, vg.Points(2)
			p.Add(bar)
		}
		if !math.IsNaN(t.Mean) {
			mean, err := plotter.NewScatter(plotter.XYs{{X: t.Mean, Y: y - 0.25}})
			if err != nil {
				return nil, err
			}
			mean.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(3), Shape: draw.BoxGlyph{}}
			p.Add(mean)
		}
		labels.Labels = append(labels.Labels, cut(harmless.Text(s.Name), 90))
		labels.XYs = append(labels.XYs, plotter.XY{Y: y + 0.32})
	}
	if !(low <= high) {
		low, high = 0, 1
	}
	margin := max(0.04*(high-low), 1e-6*math.Abs(high), 1e-9)
	low, high = low-margin, high+margin
	for i := range labels.XYs {
		labels.XYs[i].X = low
	}
	if len(labels.Labels) > 0 {
		if err := write(p, labels, softColor); err != nil {
			return nil, err
		}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = low, high, -0.5, float64(n)-0.5
	return p, nil
}
