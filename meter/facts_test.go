package meter

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
)

var (
	byteAnswer      = regexp.MustCompile("^<[0-9A-F]{2}>$")
	frequencyAnswer = regexp.MustCompile("^<F[0-9A-F]{4}>$")
	identityAnswer  = regexp.MustCompile("^<POWERSPY")
)

// damage flips the lowest bit of one digit of the answer.
func damage(answer string, digit int) string {
	p := []byte(answer)
	v := strings.IndexByte("0123456789ABCDEF", p[digit])
	if v >= 0 {
		p[digit] = "0123456789ABCDEF"[v^1]
	}
	return string(p)
}

func asItIs(answer string) string { return answer }

// One damaged digit while a meter is opened falsifies nothing, whichever answer
// and whichever digit it is.
func TestDamagedDigit(t *testing.T) {
	for name, tt := range map[string]struct {
		kind  *regexp.Regexp
		first int // of its digits
	}{
		"calibration": {byteAnswer, 1},
		"frequency":   {frequencyAnswer, 2},
		"identity":    {identityAnswer, len("<POWERSPYR") + 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sound := openForged(t, sim.Config{}, asItIs)
				want := sound.info
				for n := range 60 {
					for digit := tt.first; ; digit++ {
						seen, done := 0, false
						m := openForged(t, sim.Config{}, func(answer string) string {
							if !tt.kind.MatchString(answer) {
								return answer
							}
							seen++
							if seen-1 != n || digit >= len(answer)-1 {
								return answer
							}
							done = true
							return damage(answer, digit)
						})
						got := m.info
						if off := got.Frequency/want.Frequency - 1; max(off, -off) > 0.001 {
							t.Errorf("answer %d, digit %d: %g Hz", n, digit, got.Frequency)
						}
						if got.Facts() != want.Facts() || m.calibration != sound.calibration {
							t.Errorf("answer %d, digit %d: %+v, want %+v", n, digit, got, want)
						}
						if len(m.notices) > 0 {
							t.Errorf("answer %d, digit %d: noticed %v", n, digit, m.notices)
						}
						if !done {
							break
						}
					}
				}
			})
		})
	}
}

// What is remembered makes one reading enough, and what is not as it was is
// noticed.
func TestFacts(t *testing.T) {
	cal := func(scale float32) sim.Calibration {
		return sim.Calibration{Voltage: 0.0815 * scale, Current: 0.000545, Year: 2020, Month: 5, Day: 6}
	}
	usual := sim.Config{Serial: 7, Factory: cal(1), Current: cal(1.01)}
	other, calibrated, odd := usual, usual, usual
	other.Serial = 8
	calibrated.Current = cal(1.02)
	odd.Current = cal(2)
	tests := []struct {
		name    string
		before  *sim.Config // of the meter that was there; nil: none
		now     sim.Config
		reads   int // of the EEPROM
		learnt  bool
		noticed []string
	}{
		{"never seen", nil, usual, 48, true, nil},
		{"as it was", &usual, usual, 24, false, nil},
		{"another meter", &other, usual, 48, true, []string{"another meter answers there: serial number 7, where 8 was before"}},
		{"calibrated since", &calibrated, usual, 27, true, []string{"the meter was calibrated since it was last used, on 2020-05-06"}},
		{"an odd calibration", nil, odd, 48, true, []string{"the meter's calibration differs from the factory's by +100 % in voltage and +0 % in current; check it against a known load"}},
	}
	for _, tt := range tests {
		for _, reconnected := range []bool{false, true} {
			if reconnected && tt.before == nil {
				continue
			}
			t.Run(fmt.Sprintf("%s, reconnected %v", tt.name, reconnected), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					reads := 0
					count := func(answer string) string {
						if byteAnswer.MatchString(answer) {
							reads++
						}
						return answer
					}
					var learnt, told []string
					m := forged{simulator: sim.New(tt.now), route: &route{finding: finding{target: Target{Kind: Simulated}}}}
					cfg := &m.route.cfg
					if tt.before != nil {
						earlier := openForged(t, *tt.before, asItIs)
						if reconnected {
							m.route.info = earlier.route.info
						} else {
							cfg.Recall = func(Target) (Facts, bool) { return earlier.info.Facts(), true }
						}
					}
					cfg.Learnt = func(_ Target, f Facts) { learnt = append(learnt, fmt.Sprint(f.Serial)) }
					cfg.Report = func(s Status) { told = append(told, s.Text) }
					if err := m.reopen(t, count); err != nil {
						t.Fatal(err)
					}
					if reads != tt.reads {
						t.Errorf("%d bytes read, want %d", reads, tt.reads)
					}
					if (len(learnt) == 1 && learnt[0] == "7") != tt.learnt || len(learnt) > 1 {
						t.Errorf("learnt %q", learnt)
					}
					if fmt.Sprint(told) != fmt.Sprint(tt.noticed) {
						t.Errorf("noticed %q, want %q", told, tt.noticed)
					}
				})
			})
		}
	}
}

// Without anybody to report to, as while a stream is recovered, the stream tells.
func TestNoticesOfStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unlocked := func(answer string) string {
			if identityAnswer.MatchString(answer) {
				return answer[:len("<POWERSPYR")] + "00" + answer[len("<POWERSPYR00"):]
			}
			return answer
		}
		m := openForged(t, sim.Config{}, unlocked)
		s, err := m.Stream(t.Context(), StreamConfig{})
		if err != nil {
			t.Fatal(err)
		}
		e, err := s.Next()
		if err != nil || e.Kind != StatusEvent || e.Status.Phase != Noticed || !strings.Contains(e.Status.Text, "PLL is not locked") {
			t.Errorf("unexpected event: %+v, %v", e, err)
		}
		if e, err = s.Next(); err != nil || e.Kind != WindowEvent {
			t.Errorf("unexpected event: %+v, %v", e, err)
		}
		// One damaged identity says nothing.
		asked := 0
		m = openForged(t, sim.Config{}, func(answer string) string {
			if identityAnswer.MatchString(answer) {
				if asked++; asked == 2 {
					return unlocked(answer)
				}
			}
			return answer
		})
		if len(m.notices) > 0 || !m.info.Identity.PLLLocked {
			t.Errorf("noticed %v", m.notices)
		}
	})
}

// A meter that was exchanged during an outage is told by the stream that goes on.
func TestAnotherMeterAfterOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := mustParse(t, "sim:busy=replace,serial=7,jitter=0s,stall=0")
		s, err := Supervise(t.Context(), Config{Target: target}, StreamConfig{}, Recovery{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if e, err := s.Next(); err != nil || e.Kind == StatusEvent {
			t.Fatalf("unexpected event: %+v, %v", e, err)
		}
		simulator, err := target.Simulator()
		if err != nil {
			t.Fatal(err)
		}
		// Whoever connects throws the stream out, and leaves another serial number.
		l, err := simulator.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c := powerspy.NewClient(l, nil)
		if err := errors.Join(c.WriteEEPROM(t.Context(), 0, []byte{8}), c.Close()); err != nil {
			t.Fatal(err)
		}
		for {
			e, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind == StatusEvent && e.Status.Phase == Noticed {
				if e.Status.Text != "another meter answers there: serial number 8, where 7 was before" {
					t.Errorf("noticed %q", e.Status.Text)
				}
				break
			}
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
