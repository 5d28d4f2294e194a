package sim

import "fmt"

// loses reports whether the answer that has just been given gets lost.
func (m *Meter) loses() bool {
	return m.faults.Lose > 0 && m.rnd.unit(forLoss, m.answers, 0) < m.faults.Lose
}

func (f Faults) validateLoss() error {
	if !(f.Lose >= 0 && f.Lose <= 1) {
		return fmt.Errorf("lose %g is not a fraction from 0 to 1", f.Lose)
	}
	return nil
}
