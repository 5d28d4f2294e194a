package sim

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A followed load draws what something on this machine says, which is looked at
// when a window has ended: constant pieces, one after the other. What is asked for
// ahead of the last look goes on as that one said.
type followed struct {
	epoch time.Time
	// look returns the pieces since the last look, as their ends in seconds since
	// the epoch, of which the last one is now, and their powers in W.
	look func(now float64) []followedPiece

	mu     sync.Mutex
	pieces []followedPiece
	looked float64 // seconds since the epoch
}

// A followedPiece lasts from the end of the one before it.
type followedPiece struct{ end, power float64 }

// mostPieces bounds what is remembered: hours of a load that seldom changes,
// twenty minutes of one that changes with each window.
const mostPieces = 1 << 16

func newFollowed(epoch time.Time, look func(now float64) []followedPiece) *followed {
	return &followed{epoch: epoch, look: look}
}

func (f *followed) over(from, to float64) drawn {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Since(f.epoch).Seconds(); now > f.looked {
		for _, p := range f.look(now) {
			f.add(p)
		}
		f.looked = now
	}
	i := sort.Search(len(f.pieces), func(i int) bool { return f.pieces[i].end > from })
	var sum drawn
	for begin := from; begin < to; i++ {
		end, power := to, 0.
		switch {
		case i < len(f.pieces):
			end, power = min(to, f.pieces[i].end), f.pieces[i].power
		case len(f.pieces) > 0:
			power = f.pieces[len(f.pieces)-1].power
		}
		l := level(power)
		sum.mean += l.mean * (end - begin)
		sum.square += l.square * (end - begin)
		sum.peak = max(sum.peak, l.peak)
		begin = end
	}
	sum.mean /= to - from
	sum.square /= to - from
	return sum
}

// add appends a piece; one that is as the last one lengthens that.
func (f *followed) add(p followedPiece) {
	n := len(f.pieces)
	if n > 0 && f.pieces[n-1].power == p.power {
		f.pieces[n-1].end = max(f.pieces[n-1].end, p.end)
		return
	}
	if n == mostPieces {
		f.pieces = append(f.pieces[:0], f.pieces[mostPieces/4:]...)
	}
	f.pieces = append(f.pieces, p)
}

// newProcessorLoad returns a load between idle and full W that follows the use of
// this machine's processors.
func newProcessorLoad(epoch time.Time, idle, full float64) load {
	lastBusy, lastTotal, _ := processorTime() // Validate has read it
	use := 0.
	return newFollowed(epoch, func(now float64) []followedPiece {
		// The kernel counts in ticks of 10 ms: shorter looks see one or none.
		busy, total, err := processorTime()
		if err == nil && total > lastTotal {
			use = min(max((busy-lastBusy)/(total-lastTotal), 0), 1)
			lastBusy, lastTotal = busy, total
		}
		return []followedPiece{{now, idle + (full-idle)*use}}
	})
}

// processorTime returns how long all processors were busy, and that and idle, in
// ticks since the machine started (proc_stat(5)).
func processorTime() (busy, total float64, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 6 || fields[0] != "cpu" {
		return 0, 0, errors.New("/proc/stat does not begin with the time of the processors")
	}
	// guest and guest_nice, behind steal, are in user and nice already.
	for i, text := range fields[1:min(len(fields), 9)] {
		ticks, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("/proc/stat: %w", err)
		}
		total += ticks
		if i != 3 && i != 4 { // idle, iowait
			busy += ticks
		}
	}
	return busy, total, nil
}

// newFileLoad returns a load that draws the watts that a file says, each from the
// moment when it was written. While the file says nothing that makes sense, as
// in the midst of being written, it stays as it was.
func newFileLoad(epoch time.Time, path string) load {
	power, _, _ := watts(path) // Validate has read it
	last := 0.
	return newFollowed(epoch, func(now float64) []followedPiece {
		var pieces []followedPiece
		if p, written, err := watts(path); err == nil && p != power {
			changed := min(max(written.Sub(epoch.Round(0)).Seconds(), last), now)
			if changed > last {
				pieces = append(pieces, followedPiece{changed, power})
			}
			power = p
		}
		last = now
		return append(pieces, followedPiece{now, power})
	})
}

// watts reads a file that holds a number, and when it was written.
func watts(path string) (power float64, written time.Time, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, written, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, written, err
	}
	if !info.Mode().IsRegular() {
		return 0, written, fmt.Errorf("%s is not a regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return 0, written, err
	}
	power, err = strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	if err != nil || math.IsNaN(power) || math.Abs(power) > maxPower {
		return 0, written, fmt.Errorf("%s holds %q, not a power from -%d to %[3]d W", path, text, maxPower)
	}
	return power, info.ModTime(), nil
}

// checkFollowed says why a load can't be followed here.
func (c *Config) checkFollowed() error {
	switch c.Load {
	case LoadCPU:
		if _, _, err := processorTime(); err != nil {
			return fmt.Errorf("the use of the processors is not known: %w", err)
		}
	case LoadFile:
		if c.LoadPath == "" {
			return errors.New("load file has no path; write load=file:PATH")
		}
		if _, _, err := watts(c.LoadPath); err != nil {
			return fmt.Errorf("load: %w", err)
		}
	}
	return nil
}
