package main

import (
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/internal/field"
)

// doctor runs the doctor within simulated time.
func doctor(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return inProcess(t, map[string]string{runtimeDir: t.TempDir()}, append([]string{"doctor", "--stream"}, args...)...)
}

// The table tells each link from the others, and what would do better.
func TestDoctorStream(t *testing.T) {
	for _, tt := range []struct {
		spec   string
		want   []string // patterns
		status int
	}{
		{"link=a,first=23", []string{
			`^1 period +48\.\d\d +[34]\.\d % +0\.0 % +\d+\.\d +\d+\.\d +\d+\.\d +(49\.9|50\.0)\d\d x23\.00$`,
			`^2 periods +2[45]\.\d\d .* x11\.50$`,
			`^5 periods +10\.00 +0\.0 % .* x4\.60$`,
			`^10 periods +5\.00 +0\.0 % .* x2\.30$`,
			`^[34]\.\d % of windows of 1 mains period through sim:link=a,first=23 are left out: another adapter may do better `,
			"^longer windows do better: of (2|5) mains periods .* \\(`powerspy measure --averaging (2|5)`\\)$",
		}, 0},
		{"link=b", []string{`^1 period +49\.\d\d +[01]\.\d % `}, 0},
		{"link=c", []string{`^1 period +49\.\d\d +[01]\.\d % `}, 0},
		{"link=ideal,first=clean", []string{
			`^1 period +50\.00 +0\.0 % +0\.0 % .* right$`,
			`^nothing to improve: 0\.0 % of windows of 1 mains period are left out$`,
		}, 0},
		{"link=ideal,noise=0.02", []string{`^[123]\.\d % of frames come damaged: `}, 0},
		{"link=exponential,stall=0.1", []string{`^frames of 1 mains period are up to \d+ ms late and more: `}, 0},
		{"link=ideal,refuse-under=2,silent-under=5", []string{
			`^1 period +refused by the meter$`,
			`^2 periods +no frames, although the meter agreed to send them$`,
			`^5 periods +10\.00 `,
			`^windows of 1 mains period are no use with this meter: refused by the meter$`,
		}, 0},
		{"link=ideal,refuse=J", []string{`^10 periods +refused by the meter$`}, 6},
	} {
		t.Run(tt.spec, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stdout, stderr, status := doctor(t, "--duration", "80s", "--device", "sim:"+tt.spec)
				if status != tt.status {
					t.Errorf("status %d, want %d; stderr: %s", status, tt.status, stderr)
				}
				for _, want := range tt.want {
					if !regexp.MustCompile("(?m)" + want).MatchString(stdout) {
						t.Errorf("there is no %s in:\n%s", want, stdout)
					}
				}
				if tt.status == 0 && !strings.Contains(stderr, "powerspy: measuring with windows of 10 mains periods, for 20s\n") {
					t.Errorf("no progress: %s", stderr)
				}
				for line := range strings.Lines(stdout) {
					if regexp.MustCompile(`^(window|\d+ periods?) `).MatchString(line) && len(line) > 80+len("\n") {
						t.Errorf("%d columns: %s", len(line)-1, line)
					}
				}
			})
		})
	}
}

// Where no frames come in a short time, longer windows may not have been tried.
func TestDoctorNoFrames(t *testing.T) {
	for duration, want := range map[string]string{
		"4s":  "no frames came with windows of up to 1 mains period; longer ones are tried with a longer --duration\n",
		"80s": "no frames came, whatever the length of windows\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			if _, stderr, status := doctor(t, "--duration", duration, "--device", "sim:silent-under=51"); status != 6 || !strings.HasSuffix(stderr, want) {
				t.Errorf("%s: status %d, %q", duration, status, stderr)
			}
		})
	}
}

func TestDoctorJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		stdout, stderr, status := doctor(t, "-q", "--format", "json", "--duration", "10s", "--device", "sim:link=b,first=7")
		if status != 0 || stderr != "" {
			t.Errorf("status %d, stderr %q", status, stderr)
		}
		if took := time.Since(began); took < 10*time.Second || took > 15*time.Second {
			t.Errorf("it took %v", took)
		}
		var r doctorReport
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatal(err)
		}
		if r.Device != "sim:link=b,first=7" || len(r.Checks) != 12 || r.Checks[11].Result != "ok" || r.Checks[0].Result != "skipped" || r.Adapter != nil {
			t.Errorf("unexpected report: %+v", r)
		}
		// Ten seconds are enough for two lengths.
		if len(r.Streams) != 2 || len(r.Advice) == 0 {
			t.Fatalf("unexpected streams: %+v, advice %q", r.Streams, r.Advice)
		}
		s := r.Streams[0]
		if s.Status != field.Done || s.Periods != 1 || s.First == nil || s.First.Factor < 6.99 || s.First.Factor > 7.01 || !s.First.PeakRight ||
			s.Rate < 49 || s.Rate > 50 || s.Delay.P99 < s.Delay.Median || s.Frames < 200 {
			t.Errorf("unexpected stream: %+v, first %+v", s, s.First)
		}
	})
}

// A check that fails ends it, and is in the report.
func TestDoctorJSONFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stdout, _, status := doctor(t, "-q", "-f", "json", "--device", "sim:refuse=V")
		var r doctorReport
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatal(err)
		}
		if status != 6 || len(r.Streams) != 0 || r.Checks[9].Result != "failed" || r.Checks[9].Next == "" {
			t.Errorf("status %d, report %+v", status, r)
		}
	})
}

func TestBetterSaysNothingOfNothing(t *testing.T) {
	if got := better([]field.Stream{{Outcome: field.Outcome{Status: field.NotAsked}}}, "x"); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

// Ctrl-C ends it with exit status 0 and a table of what came until then, and the
// meter is told to stop.
func TestDoctorInterrupted(t *testing.T) {
	p := start(t, "doctor", "--verbose", "--stream", "--duration", "1h", "--device", quickSim)
	for {
		line, err := p.stderr.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "< <00") {
			break
		}
	}
	p.signal(syscall.SIGTERM)
	told, err := io.ReadAll(p.stderr)
	if err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(p.stdout)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.wait(); got.ExitCode() != 0 {
		t.Errorf("unexpected end: %v", got)
	}
	if !strings.Contains(string(told), "> <Q>") || !regexp.MustCompile(`(?m)^1 period +\d`).Match(said) || strings.Contains(string(said), "2 periods") {
		t.Errorf("stdout %s, stderr %s", said, told)
	}
}
