package timebase

import "time"

// A hull is the Base to beat: it extrapolates the lower convex hull of the
// arrivals of a fixed span (Moon, Skelly, Towsley 1999), by the edge under the
// middle of the span.
type hull struct {
	Arrival
	span   float64
	number float64
	points [][2]float64 // number and arrival
	edges  [][2]float64
}

func (h *hull) Window(arrival time.Time) (start, end time.Time) {
	y := since(arrival)
	h.number++
	h.points = append(h.points, [2]float64{h.number, y})
	for y-h.points[0][1] > h.span {
		h.points = h.points[1:]
	}
	below := func(a, b, c [2]float64) bool {
		return (b[1]-a[1])*(c[0]-a[0]) < (c[1]-a[1])*(b[0]-a[0])
	}
	h.edges = h.edges[:0]
	for _, p := range h.points {
		n := len(h.edges)
		for n > 1 && !below(h.edges[n-2], h.edges[n-1], p) {
			n--
		}
		h.edges = append(h.edges[:n], p)
	}
	middle := (h.points[0][0] + h.number) / 2
	for i := 1; i < len(h.edges); i++ {
		if a, b := h.edges[i-1], h.edges[i]; b[0] >= middle {
			y = a[1] + (b[1]-a[1])/(b[0]-a[0])*(h.number-a[0])
			break
		}
	}
	return at(y).Add(-h.length), at(y)
}
