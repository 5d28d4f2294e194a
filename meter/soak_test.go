package meter

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/powerspy/sim"
)

var (
	soakReal  = flag.Bool("soak.real", false, "run TestSoak in real time")
	soakHours = flag.Float64("soak.hours", soakUsually, "how many hours TestSoak measures")
	soakSeed  = flag.Uint64("soak.seed", 1, "of the faults in TestSoak")
)

// soakMeter is a meter with a fault every 40 s, behind a link with delay,
// jitter and stalls. Its power tells every window from its neighbours.
const soakMeter = "sim:battery=40s,delay=8ms,jitter=12ms,stall=0.002,freq=49.985,drift=200ppm,load=wave,watts=2000,low=100,period=7s"

// TestSoak measures for hours with a meter that has every kind of fault, again
// and again: each window of the meter's is measured or in one gap, none is
// invented, nothing piles up.
func TestSoak(t *testing.T) {
	hours := time.Duration(*soakHours * float64(time.Hour))
	sc := StreamConfig{Averaging: 5}
	if *soakReal {
		soak(t, *soakSeed, sc, hours)
		return
	}
	synctest.Test(t, func(t *testing.T) { soak(t, *soakSeed, sc, hours) })
}

// TestSoakPeriods does so with windows of one mains period.
func TestSoakPeriods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		soak(t, *soakSeed+1, StreamConfig{Averaging: 1}, 45*time.Minute)
	})
}

// soak measures for so long and checks what comes of it.
func soak(t *testing.T, seed uint64, sc StreamConfig, total time.Duration) {
	target := mustParse(t, fmt.Sprintf("%s,seed=%d", soakMeter, seed))
	simulated, err := target.Simulator()
	if err != nil {
		t.Fatal(err)
	}
	poller(t)
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := Supervise(ctx, Config{Target: target}, sc, Recovery{})
	if err != nil {
		t.Fatal(err)
	}
	s.ladder.random = rand.New(rand.NewPCG(seed, 0)).Float64 // the same seed is the same run
	began := time.Now()
	c := newSoakCheck(t, simulated, max(time.Duration(sc.Averaging), 1)*20*time.Millisecond)
	var heaps []int // after each hour, or each quarter of a shorter time
	mark := min(time.Hour, total/4)
	for time.Since(began) < total {
		e, err := s.Next()
		if err != nil {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
		c.take(e)
		if time.Since(began) >= mark*time.Duration(len(heaps)+1) {
			heaps = append(heaps, heap(simulated))
		}
	}
	heaps = append(heaps, heap(simulated))
	if err := s.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	c.finish()
	c.report(time.Since(began), heaps)
	if first, last := heaps[0], heaps[len(heaps)-1]; float64(last) > 1.1*float64(first) {
		t.Errorf("the heap has grown from %d to %d bytes", first, last)
	}
	<-time.After(time.Second) // the last goroutine of the simulator's may be about to end
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines, %d at the start", n, goroutines)
	}
	if n := openFiles(t); n > files {
		t.Errorf("%d open files, %d at the start", n, files)
	}
}

// heap returns how many bytes are in use, but for what the simulator remembers
// for the check: of each fault and each stream some 100 bytes.
func heap(m *sim.Meter) int {
	remembered := 100 * (len(m.Incidents()) + len(m.Streams()))
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc) - remembered
}

// poller opens what the runtime keeps open for itself once it waits for files
// and timers.
func poller(t *testing.T) {
	t.Helper()
	r, w, err := os.Pipe()
	if err == nil {
		err = errors.Join(r.Close(), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// openFiles returns how many files this process has open, where the system
// tells.
func openFiles(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// report prints what became of it, in lines that scripts/soak.sh shows.
func (c *soakCheck) report(total time.Duration, heaps []int) {
	c.t.Helper()
	c.t.Logf("soak: measured        %v", total.Round(time.Second))
	c.t.Logf("soak: faults          %v", c.faults)
	c.t.Logf("soak: recoveries      %d, the slowest %v after the end of the fault", c.recoveries, c.slowest.Round(time.Millisecond))
	c.t.Logf("soak: time lost       %v in %d gaps", c.lost.Round(time.Second), c.gaps)
	c.t.Logf("soak: windows         %d measured, %d bridged, %d in gaps", c.measured, c.bridged, c.missed)
	c.t.Logf("soak: misplaced       %d windows, at most %v after a fault", c.misplaced, c.settled.Round(time.Millisecond))
	c.t.Logf("soak: energy          %+.5f %% of windows, %+.5f %% by times", 100*(c.energy/c.ofWindows-1), 100*(c.energy/c.byTimes-1))
	c.t.Logf("soak: heap            %d to %d bytes", heaps[0], heaps[len(heaps)-1])
}
