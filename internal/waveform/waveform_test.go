package waveform

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"powerspy2/internal/picture"
	"powerspy2/powerspy"
)

// sine is 40 ms of 230 V and 2 A.
func sine() []powerspy.CaptureSample {
	samples := make([]powerspy.CaptureSample, 512)
	for i := range samples {
		phase := 4 * math.Pi * float64(i) / 512
		samples[i] = powerspy.CaptureSample{
			Time:    time.Duration(i) * 40 * time.Millisecond / 512,
			Voltage: 325 * math.Sin(phase), Current: 2.8 * math.Sin(phase-1),
		}
	}
	return samples
}

func TestPNG(t *testing.T) {
	var b bytes.Buffer
	if err := Draw(&b, picture.PNG, "a capture", sine()); err != nil {
		t.Fatal(err)
	}
	drawn, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	size := drawn.Bounds().Size()
	if size.X < 1400 || size.X > 1430 || size.Y < 930 || size.Y > 960 {
		t.Errorf("%v pixels", size)
	}
	// Each panel has the colour of its line, and the other's not.
	var blue, red [2]int
	for y := range size.Y {
		for x := range size.X {
			c := color.NRGBAModel.Convert(drawn.At(x, y)).(color.NRGBA)
			half := 2 * y / size.Y
			if c == (color.NRGBA{0x1F, 0x4E, 0x9E, 0xFF}) {
				blue[half]++
			}
			if c == (color.NRGBA{0xB2, 0x2B, 0x1F, 0xFF}) {
				red[half]++
			}
		}
	}
	if blue[0] < 1000 || blue[1] != 0 || red[0] != 0 || red[1] < 1000 {
		t.Errorf("pixels of the voltage %v, of the current %v", blue, red)
	}
}

func TestSVG(t *testing.T) {
	var b bytes.Buffer
	if err := Draw(&b, picture.SVG, "PowerSpy 7\ntriggered by less than 2 A & <3 W", sine()); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	points := 0
	for d := xml.NewDecoder(&b); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.CharData:
			text.Write(token)
		case xml.StartElement:
			for _, a := range token.Attr {
				if a.Name.Local == "d" {
					points = max(points, strings.Count(a.Value, "L"))
				}
			}
		}
	}
	for _, want := range []string{"PowerSpy 7", "triggered by less than 2 A & <3 W", "voltage / V", "current / A", "time / ms"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in its text", want)
		}
	}
	if n := strings.Count(text.String(), "time / ms"); n != 1 {
		t.Errorf("%d labels of time", n)
	}
	if points < len(sine())-1 {
		t.Errorf("the longest line has %d points", points)
	}
}

// A capture of nothing, of one sample, of a flat line and of broken numbers.
func TestOddSamples(t *testing.T) {
	if err := Draw(io.Discard, picture.PNG, "", nil); err == nil {
		t.Error("no samples were drawn")
	}
	if err := Draw(io.Discard, picture.SVG, "", []powerspy.CaptureSample{{Voltage: math.NaN()}}); err == nil {
		t.Error("not a number was drawn")
	}
	for _, samples := range [][]powerspy.CaptureSample{make([]powerspy.CaptureSample, 1), make([]powerspy.CaptureSample, 100)} {
		if err := Draw(io.Discard, picture.SVG, "", samples); err != nil {
			t.Errorf("%d samples: %v", len(samples), err)
		}
	}
	if err := Draw(io.Discard, "gif", "", sine()); err == nil {
		t.Error("a GIF was drawn")
	}
}
