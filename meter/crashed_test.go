package meter

import (
	"testing"
	"testing/synctest"
)

// A client that crashed leaves the meter streaming; jobs work all the same.
func TestJobsAfterCrashedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := mustParse(t, "sim:files=5000")
		for name, job := range map[string]func(*Meter) error{
			"clock":   func(m *Meter) error { _, err := m.Clock(t.Context()); return err },
			"eeprom":  func(m *Meter) error { return m.ReadEEPROM(t.Context(), 0, make([]byte, 4)) },
			"files":   func(m *Meter) error { _, err := m.Files(t.Context()); return err },
			"log":     func(m *Meter) error { return m.StartLog(t.Context()) },
			"capture": func(m *Meter) error { _, err := m.Capture(t.Context(), CaptureConfig{Periods: 1}); return err },
		} {
			m, err := Open(t.Context(), Config{Target: target})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Client().StartRealtime(t.Context(), 5); err != nil {
				t.Fatal(err)
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			if m, err = Open(t.Context(), Config{Target: target}); err != nil {
				t.Fatal(err)
			}
			if err := job(m); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
