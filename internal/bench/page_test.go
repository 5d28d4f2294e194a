package bench_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"powerspy2/internal/bench"
)

// onPage checks that the page on benches has a line.
func onPage(t *testing.T, line string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/bench.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), line+"\n") {
		t.Errorf("docs/bench.md lacks the line\n%s", line)
	}
}

// TestPageRuns: the table of how many runs there have to be.
func TestPageRuns(t *testing.T) {
	for _, spread := range []float64{0.003, 0.01, 0.02, 0.05} {
		// Two rounds have this deviation exactly.
		c := bench.Compare(series("a", math.Exp(spread), math.Exp(-spread)), series("b", 1, 1), bench.Energy, true)
		line := fmt.Sprintf("| %g %% |", 100*spread)
		for _, runs := range []int{5, 10, 30} {
			// Pairs around 100, each as far away as makes the deviation right.
			off := 100 * spread * math.Sqrt(float64(runs-1)/float64(runs-runs%2))
			var list []float64
			for i := range runs {
				switch {
				case runs%2 == 1 && i == 0:
					list = append(list, 100)
				case i%2 == 0:
					list = append(list, 100+off)
				default:
					list = append(list, 100-off)
				}
			}
			s := bench.Summarize(series("a", list...), bench.Energy)
			near(t, "deviation", s.Deviation, 100*spread, 1e-9)
			line += fmt.Sprintf(" %.2g %% |", 100*s.Precision())
		}
		onPage(t, line+fmt.Sprintf(" %d |", c.RunsFor1))
	}
}
