package timebase

import "testing"

// TestBeats has radios whose polls keep step with the mains for seconds, so that
// the shortest delays of that time are long: 40 s from the start of a stream.
func TestBeats(t *testing.T) {
	for _, newest := range []bool{false, true} {
		for _, poll := range []float64{0.038, 0.0385, 0.039} {
			good, n := 0, seeds(20)
			var all score
			for seed := range n {
				rnd := random(seed)
				frames := inStep(rnd, poll, newest).carry(rnd, ordinary.ends(rnd, 2000, 1))
				f := mustFilter(t, Config{Periods: 1, Frequency: 50, Lag: halfSecond})
				_, settled := feed(f, frames)
				s := rateWindows(frames, settled, 0)
				all.merge(s, n)
				if s.p95 <= 0.003 {
					good++
				}
				if err := f.Suspect(); err != nil {
					t.Error(err)
				}
			}
			if good < n*9/10 || all.honest < 0.9 {
				t.Errorf("polls every %.1f ms: %d of %d within 3 ms, %.1f %% within two standard errors", poll*1e3, good, n, all.honest*100)
			}
			t.Logf("polls every %.1f ms, newest %v: %d of %d within 3 ms; %v", poll*1e3, newest, good, n, all)
		}
	}
}
