package stats

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// FuzzQuantiles compares quantiles with those of the sorted numbers, which are
// eight bytes each.
func FuzzQuantiles(f *testing.F) {
	const smallest, largest = 1e-3, 1e6
	bytesOf := func(numbers ...float64) (b []byte) {
		for _, v := range numbers {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
		return b
	}
	f.Add(0.5, bytesOf(1, 100))
	f.Add(0.95, bytesOf(-3000, -1, 0, math.Copysign(0, -1), 2, 35.2))
	f.Add(1.0, bytesOf(smallest, -smallest, largest, -largest))
	f.Add(0.0, bytesOf(smallest/2, -smallest/2, binGrowth, 1/binGrowth, math.NaN(), math.Inf(1)))
	bounds := make([]float64, 400)
	for i := range bounds {
		bounds[i] = smallest * math.Exp(float64(25*i)*logGrowth)
	}
	f.Add(0.7, bytesOf(bounds...))

	f.Fuzz(func(t *testing.T, p float64, b []byte) {
		if !(p >= 0 && p <= 1) {
			return
		}
		q := newQuantiles(smallest, largest)
		var all []float64
		for ; len(b) >= 8; b = b[8:] {
			v := math.Float64frombits(binary.LittleEndian.Uint64(b))
			q.add(v, 1)
			if !math.IsNaN(v) {
				all = append(all, v)
			}
		}
		got := q.value(p)
		if len(all) == 0 {
			if !math.IsNaN(got) {
				t.Fatalf("quantile of nothing is %v", got)
			}
			return
		}
		slices.Sort(all)
		want := all[max(int(math.Ceil(p*float64(len(all)))), 1)-1]
		switch a := math.Abs(want); {
		case a > largest:
			if !(math.Abs(got) >= largest*(1-2*relativeError)) || got*want < 0 {
				t.Fatalf("quantile %v of %v: got %v, want %v or the largest", p, all, got, want)
			}
		case a < smallest:
			if math.Abs(got) > smallest {
				t.Fatalf("quantile %v of %v: got %v, want %v or zero", p, all, got, want)
			}
		case math.Abs(got-want) > a*relativeError*(1+1e-9):
			t.Fatalf("quantile %v of %v: got %v, want %v", p, all, got, want)
		}
	})
}
