package timebase

import "math"

// While windows are about as short as delays vary, a few arrivals tell little of
// the grid: each frame may belong to any of several windows wherever it is. No
// normal distribution describes what is known then. So with the first frames the
// grid is sought: at each of many places over one window, the likelihood of all
// frames so far.

const (
	// places is at how many places the grid is sought.
	places = 40

	// sought is up to which frame, and soughtLength with windows up to which
	// length: seconds.
	sought       = 20
	soughtLength = 0.09
)

// acquire looks for the grid, as long as it makes sense, with the frames that are
// held, and puts it where it is found.
func (f *Filter) acquire() {
	if f.frames > sought || f.frames < 2 || f.nominal > soughtLength || f.queue.count < f.frames {
		return
	}
	step := f.nominal / places
	var likelihood [places]float64
	best := 0
	for i := range likelihood {
		f.mains.begin(f.y-float64(i)*step, square(step/2), f.nominal)
		likelihood[i] = f.replay(step/2, false)
		if likelihood[i] > likelihood[best] {
			best = i
		}
	}
	// Mean and variance around the best place: the grid has no beginning.
	var sum, mean, meanSquare float64
	for i, l := range likelihood {
		d := float64((i-best+places+places/2)%places - places/2)
		p := math.Exp(l - likelihood[best])
		sum += p
		mean += p * d
		meanSquare += p * d * d
	}
	mean /= sum
	variance := (meanSquare/sum - mean*mean + 1./4) * step * step
	f.mains.begin(f.y-(float64(best)+mean)*step, variance, f.nominal)
	f.replay(math.Sqrt(variance), true)
}

// replay finds the slots of all held frames anew, on the grid where it is now,
// and returns the logarithm of their likelihood.
func (f *Filter) replay(sigma float64, keep bool) float64 {
	q := &f.queue
	_, length := f.mains.estimate()
	moment := f.mains.edge()
	f.top = 0
	total := 0.
	const most = 40
	var buffer [3][most]float64
	known := belief{p: buffer[2][:1]}
	var used int
	for i := range q.count {
		h := q.at(i)
		shape := &f.delays.free
		if h.kind == stuck {
			shape = &f.delays.held
		}
		high := int64(math.Floor((h.y - moment - earlyEdge[0] + reach*sigma) / length))
		low := known.low + 1
		if i == 0 {
			low = high - 7
		}
		high = min(max(high, low), low+most-1)
		n := int(high - low + 1)
		p := buffer[i%2][:n]
		if i == 0 {
			for k := range p {
				p[k] = 1
			}
		} else {
			h.law.waits = (q.at(i-1).poll-moment)/length - 1
			h.law.foretell(known, low, p)
		}
		if keep {
			if used+2*n > arenaSize/2 {
				n = 1
				p = p[:1]
			}
			h.start, h.n, h.low = used, n, low
			used += 2 * n
		}
		var sum float64
		for k := range p {
			d, _, _ := shape.meet(h.y-moment-float64(low+int64(k))*length, sigma)
			d += 1e-9
			p[k] *= d
			sum += p[k]
			if keep {
				q.arena[h.start+n+k] = d
			}
		}
		if !(sum > 1e-300) {
			p[0], sum = 1e-300, 1e-300
		}
		for k := range p {
			p[k] /= sum
		}
		total += math.Log(sum)
		if keep {
			copy(q.arena[h.start:], p)
		}
		from, to := trim(p)
		known = belief{low + int64(from), p[from:to]}
	}
	if keep {
		f.known = belief{known.low, append(f.spare[f.frames%2][:0], known.p...)}
	}
	return total
}
