// Package picture is what pictures of gonum/plot have in common here: their formats,
// their size, and their type.
package picture

import (
	"fmt"
	"image/color"
	"io"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Width is the text width of a page of A4.
const Width = 18 * vg.Centimeter

const (
	dpi    = 200 // of what is made of pixels
	margin = 4 * vg.Millimeter
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

// New returns a plot with a grid and the project's type.
func New() *plot.Plot {
	p := plot.New()
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{Y: 0xD0}, color.Gray{Y: 0xD0}
	p.Add(grid)
	p.Title.Padding = vg.Points(6)
	p.X.Padding, p.Y.Padding = 0, 0
	for _, style := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		style.Font.Variant = "Sans"
	}
	return p
}

// Draw writes a picture of plots below each other, which share their left and right
// borders.
func Draw(w io.Writer, f Format, height vg.Length, plots ...*plot.Plot) error {
	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	switch f {
	case PNG:
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(Width, height), vgimg.UseDPI(dpi))}
	case SVG:
		canvas = vgsvg.New(Width, height)
	default:
		return fmt.Errorf("unknown picture format %q", f)
	}
	tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadX: margin, PadY: margin / 2, PadTop: margin, PadBottom: margin, PadLeft: margin, PadRight: margin}
	rows := make([][]*plot.Plot, len(plots))
	for i, p := range plots {
		rows[i] = []*plot.Plot{p}
	}
	for i, c := range plot.Align(rows, tiles, draw.New(canvas)) {
		plots[i].Draw(c[0])
	}
	_, err := canvas.WriteTo(w)
	return err
}
