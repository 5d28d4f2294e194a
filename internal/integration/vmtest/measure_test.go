//go:build integration && linux

package vmtest

import (
	"context"
	"math"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"powerspy2/internal/integration/air"
	"powerspy2/powerspy/sim"
)

// knownFirst is how long a meter that is known may take to its first reading.
// It takes less than two seconds, but a guest may share its emulated processors
// with another one.
const knownFirst = 5 * time.Second

// constant makes the meter's load constant, so that readings can be checked.
func constant(_ *air.DeviceConfig, s *sim.Config) { s.Load, s.Power = sim.LoadConstant, 200 }

var plainLine = regexp.MustCompile(`^(\d{16}) (-?\d+)$`)

// checkPlain checks plain readings in milliwatts of the constant load: between
// min and max of them, their times an interval apart. The last one may be
// shorter: what there was of it when the measurement was stopped.
func checkPlain(t *testing.T, r *Result, least, most int, interval time.Duration) {
	t.Helper()
	if n := len(r.Stdout); n < least || n > most {
		t.Errorf("%d readings, want %d to %d", n, least, most)
	}
	var last int64
	for i, l := range r.Stdout {
		f := plainLine.FindStringSubmatch(l.Text)
		if f == nil {
			t.Fatalf("line %q is not TIMESTAMP READING", l.Text)
		}
		at, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		mw, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(mw-200_000) > 2_000 {
			t.Errorf("reading %q, want 200000 mW within 1 %%", l.Text)
		}
		if step := time.Duration(at-last) * time.Microsecond; i > 0 && (step < interval/2 && i < len(r.Stdout)-1 || step > interval*3/2) {
			t.Errorf("reading %d came %v after the one before, want about %v", i, step, interval)
		}
		last = at
	}
}

// checkStatus checks an exit status, and that standard error has each of the
// words in it, in one sentence without a stack trace.
func checkStatus(t *testing.T, r *Result, want int, words ...string) {
	t.Helper()
	if r.Status != want {
		t.Fatalf("want exit status %d; %v", want, r)
	}
	for _, w := range words {
		if !strings.Contains(strings.ToLower(r.Stderr), strings.ToLower(w)) {
			t.Errorf("standard error lacks %q: %v", w, r)
		}
	}
}

// The main job: from nothing paired to readings, then again without discovery.
func TestIntegrationFirstWatt(t *testing.T) {
	m := Shared(t)
	m.Air.SetInquiryUnit(air.InquiryUnit) // as long as real ones
	meter := m.AddMeter(t, constant)

	r := Run(t, Cmd{Args: []string{"measure", "--duration", "10s", "--interval", "1s", "--format", "plain"}, Env: []string{"POWERSPY_PIN=1234"}})
	checkStatus(t, r, 0)
	checkPlain(t, r, 9, 11, time.Second)
	t.Logf("first reading after %v; %v", r.Stdout[0].At.Round(time.Millisecond), r)
	if meter.Sim.Measuring() {
		t.Error("the meter was left streaming")
	}
	if s := meter.Status(); !s.Paired {
		t.Errorf("the meter has no key: %+v", s)
	}

	// Pairing and trust are there after a restart, too.
	m.StopDaemon(t)
	m.StartDaemon(t)
	for _, flag := range []string{"Paired", "Trusted"} {
		if !m.DeviceFlag(t, meter.Address(), flag) {
			t.Errorf("the meter is not %s for BlueZ", flag)
		}
	}

	discoveries := m.WatchDiscovery(t)
	r = Run(t, Cmd{Args: []string{"measure", "--count", "5", "--interval", "200ms"}})
	checkStatus(t, r, 0)
	checkPlain(t, r, 5, 5, 200*time.Millisecond)
	if first := r.Stdout[0].At; first > knownFirst {
		t.Errorf("the first reading came after %v, want %v at most", first, knownFirst)
	}
	t.Logf("again: first reading after %v, ended after %v", r.Stdout[0].At.Round(time.Millisecond), r.Elapsed.Round(time.Millisecond))
	if n := discoveries(); n != 0 {
		t.Errorf("%d discoveries for a meter that is known", n)
	}
}

// Meters and links that differ from the usual one.
func TestIntegrationKindsOfMeter(t *testing.T) {
	kinds := map[string]struct {
		change func(*air.DeviceConfig, *sim.Config)
		setup  func(*Meter)
	}{
		"PIN 0000":             {change: func(d *air.DeviceConfig, s *sim.Config) { d.PIN = "0000" }},
		"authenticates links":  {change: func(d *air.DeviceConfig, s *sim.Config) { d.SecurityMode = 3 }},
		"channel 5":            {change: func(d *air.DeviceConfig, s *sim.Config) { d.Channel = 5 }},
		"small packets":        {change: func(d *air.DeviceConfig, s *sim.Config) { d.MTU, d.FrameSize = 48, 32 }},
		"slow answers":         {setup: func(m *Meter) { m.SetLatency(30 * time.Millisecond) }},
		"first generation":     {change: func(d *air.DeviceConfig, s *sim.Config) { s.Generation = sim.V1 }},
		"name takes 3 seconds": {setup: func(m *Meter) { m.SetNameDelay(3 * time.Second) }},
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			m := Shared(t)
			meter := m.AddMeter(t, func(d *air.DeviceConfig, s *sim.Config) {
				constant(d, s)
				if kind.change != nil {
					kind.change(d, s)
				}
			})
			if kind.setup != nil {
				kind.setup(meter)
			}
			r := Run(t, Cmd{Args: []string{"measure", "--count", "4", "--interval", "250ms"}})
			checkStatus(t, r, 0)
			checkPlain(t, r, 4, 4, 250*time.Millisecond)
		})
	}
}

// pageTime is how long the kernel calls a device that does not answer.
const pageTime = 5120 * time.Millisecond

// An absent meter is called once, and told before a second call could have
// ended. krfcommd has survived, which Reset checks, too.
func TestIntegrationAbsent(t *testing.T) {
	m := Shared(t)
	meter := m.AddMeter(t, constant)
	measure := Cmd{Args: []string{"measure", "--count", "2", "--interval", "200ms"}}
	absent := func(t *testing.T, args ...string) {
		t.Helper()
		r := Run(t, Cmd{Args: args})
		checkStatus(t, r, 3)
		if said := r.Text() + r.Stderr; !strings.Contains(said, "the meter does not respond over Bluetooth") {
			t.Errorf("%v does not say that the meter is absent: %v", args, r)
		}
		if r.Elapsed >= 2*pageTime {
			t.Errorf("it took %v, and two calls take %v", r.Elapsed, 2*pageTime)
		}
		if !KernelRFCOMMAlive(t) {
			t.Fatal("krfcommd is dead")
		}
	}
	t.Run("never paired", func(t *testing.T) {
		absent(t, "measure", "--device", "00:0B:CE:07:FF:FF", "--count", "1")
	})
	checkStatus(t, Run(t, measure), 0)
	m.waitUnlinked(t, meter)
	meter.SetAway(true)
	t.Run("paired", func(t *testing.T) {
		absent(t, "measure", "--count", "1")
		absent(t, "info")
		absent(t, "doctor")
	})
	meter.SetAway(false)
	r := Run(t, measure)
	checkStatus(t, r, 0)
	checkPlain(t, r, 2, 2, 200*time.Millisecond)
}

// Other devices only: a discovery to the end.
func TestCommandNothingFound(t *testing.T) {
	m := Shared(t)
	m.AddMeter(t, func(d *air.DeviceConfig, _ *sim.Config) { d.Name, d.Class = "Telephone", 0x5a020c })
	r := Run(t, Cmd{Args: []string{"measure", "--count", "1"}})
	checkStatus(t, r, 3, "powerspy scan")
}

func TestIntegrationWrongPIN(t *testing.T) {
	m := Shared(t)
	meter := m.AddMeter(t, func(d *air.DeviceConfig, _ *sim.Config) { d.PIN = "9876" })
	for name, args := range map[string][]string{
		"given":     {"measure", "--pin", "1234", "--count", "1"},
		"usual":     {"measure", "--count", "1"},
		"in set-up": {"setup", "--pin", "4321"},
	} {
		t.Run(name, func(t *testing.T) {
			r := Run(t, Cmd{Args: append(args, "--device", meter.Address().String())})
			checkStatus(t, r, 5, "PIN", "--pin")
			if strings.Contains(r.Stderr, "4321") {
				t.Errorf("the PIN that was given is shown: %v", r)
			}
			if m.DeviceFlag(t, meter.Address(), "Paired") {
				t.Error("BlueZ says it is paired")
			}
		})
	}
	// The right one mends it.
	checkStatus(t, Run(t, Cmd{Args: []string{"measure", "--pin", "9876", "--count", "1", "--device", meter.Address().String()}}), 0)
}

// Another program on this machine is connected. A second one of the same user
// is told by the lock which it is, one of another user by the kernel whose.
func TestIntegrationSecondClient(t *testing.T) {
	m := Shared(t)
	meter := m.AddMeter(t, constant)
	first := Start(t, Cmd{Args: []string{"measure", "--pin", "1234", "--interval", "200ms"}})
	first.WaitLines(t, 2)
	r := Run(t, Cmd{Args: []string{"measure", "--count", "1"}})
	checkStatus(t, r, 6, "it is in use by pid", "user user", "measure --pin *** --interval 200ms")
	other := Run(t, Cmd{Args: []string{"measure", "--count", "1"}, User: Member(t)})
	checkStatus(t, other, 6, "another program", "held by user user")
	if len(r.Stdout) != 0 || len(other.Stdout) != 0 {
		t.Errorf("a second client got readings: %v, %v", r, other)
	}
	n := first.Lines()
	first.WaitLines(t, n+5)
	first.Signal(t, syscall.SIGINT)
	r = first.Wait(t)
	checkStatus(t, r, 0)
	checkPlain(t, r, n, 1<<20, 200*time.Millisecond)
	if meter.Sim.Measuring() {
		t.Error("the meter was left streaming")
	}
}

func TestCommandSeveralMeters(t *testing.T) {
	m := Shared(t)
	other := m.AddMeter(t, func(d *air.DeviceConfig, s *sim.Config) {
		d.Name, s.Load, s.Power = "PowerSpy 1111", sim.LoadConstant, 50
	})
	meter := m.AddMeter(t, constant)
	m.AddMeter(t, func(d *air.DeviceConfig, _ *sim.Config) { d.Name = "Keyboard" })

	r := Run(t, Cmd{Args: []string{"scan"}})
	checkStatus(t, r, 0)
	for _, want := range []string{meter.Address().String(), other.Address().String(), "PowerSpy 1111", "PowerSpy 4567"} {
		if !strings.Contains(r.Text(), want) {
			t.Errorf("scan does not list %s: %v", want, r)
		}
	}
	if strings.Contains(r.Text(), "Keyboard") {
		t.Errorf("scan lists what is not a meter: %v", r)
	}

	// Nobody to ask: it does not choose by itself.
	r = Run(t, Cmd{Args: []string{"measure", "--count", "1"}})
	checkStatus(t, r, 2, "--device", meter.Address().String(), other.Address().String())

	r = Run(t, Cmd{Args: []string{"measure", "--device", "PowerSpy 4", "--count", "2", "--interval", "200ms"}})
	checkStatus(t, r, 0)
	checkPlain(t, r, 2, 2, 200*time.Millisecond)
	if s := other.Status(); s.Paired {
		t.Errorf("the other meter was paired with: %+v", s)
	}
}

// `powerspy measure | head -1` stops the meter and ends with 0; so do SIGINT
// and SIGTERM.
func TestCommandStops(t *testing.T) {
	m := Shared(t)
	meter := m.AddMeter(t, constant)
	checkStatus(t, Run(t, Cmd{Args: []string{"setup", "--pin", "1234"}}), 0)

	r := Run(t, Cmd{Program: []string{"bash", "-c", hostDir + `/powerspy measure --interval 200ms | head -1; echo "status ${PIPESTATUS[0]}"`}})
	if len(r.Stdout) != 2 || r.Stdout[1].Text != "status 0" || r.Stderr != "" && strings.Contains(r.Stderr, "pipe") {
		t.Errorf("measure | head -1: %v", r)
	}
	if meter.Sim.Measuring() {
		t.Error("head -1 left the meter streaming")
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := Start(t, Cmd{Args: []string{"measure", "--interval", "200ms"}})
		p.WaitLines(t, 1)
		p.Signal(t, s)
		checkStatus(t, p.Wait(t), 0)
		if meter.Sim.Measuring() {
			t.Errorf("%v left the meter streaming", s)
		}
	}
}

// A client that was killed leaves the meter streaming; the next one manages.
func TestCommandAfterKilledClient(t *testing.T) {
	m := Shared(t)
	m.AddMeter(t, constant)
	p := Start(t, Cmd{Args: []string{"measure", "--pin", "1234", "--interval", "20ms"}})
	p.WaitLines(t, 10)
	p.Signal(t, syscall.SIGKILL)
	p.Wait(t)
	r := Run(t, Cmd{Args: []string{"measure", "--count", "3", "--interval", "200ms"}})
	checkStatus(t, r, 0)
	checkPlain(t, r, 3, 3, 200*time.Millisecond)
}

func TestCommandInfo(t *testing.T) {
	m := Shared(t)
	m.AddMeter(t, constant)
	r := Run(t, Cmd{Args: []string{"info", "--pin", "1234"}})
	checkStatus(t, r, 0)
	for _, want := range []string{"PowerSpy 4567", "serial number", "4567", "Hz"} {
		if !strings.Contains(r.Text(), want) {
			t.Errorf("info lacks %q: %v", want, r)
		}
	}
}

// Steady streaming costs little: system calls, and memory.
func TestCommandFrugal(t *testing.T) {
	m := Shared(t)
	m.AddMeter(t, constant)
	checkStatus(t, Run(t, Cmd{Args: []string{"setup", "--pin", "1234"}}), 0)

	p := Start(t, Cmd{Args: []string{"measure", "--interval", "20ms"}})
	p.WaitLines(t, 500)
	peak := p.PeakMemory(t)
	p.Signal(t, syscall.SIGINT)
	checkStatus(t, p.Wait(t), 0)
	// Two thirds of it are pages of the program, which all that run it share.
	if peak > 34<<20 {
		t.Errorf("peak memory %d KiB, want 34 MiB at most", peak>>10)
	}
	t.Logf("peak memory %d KiB", peak>>10)

	const from, to = 100, 400 // readings between which it is steady
	trace := Ordinary().home() + "/trace"
	r := Run(t, Cmd{
		Program: []string{"strace", "-f", "-qq", "-o", trace, hostDir + "/powerspy"},
		Args:    []string{"measure", "--interval", "20ms", "--count", strconv.Itoa(to + 50)},
	})
	checkStatus(t, r, 0)
	// A frame that comes alone costs a read, a write, and two epoll_pwait of the
	// runtime, which looks before it waits.
	calls, kinds := syscalls(t, trace, from, to)
	if perReading := float64(calls) / (to - from); perReading > 4.5 {
		t.Errorf("%.2f system calls a reading, want 4 and some timers: %v", perReading, kinds)
	} else {
		t.Logf("%.2f system calls a reading: %v", perReading, kinds)
	}
}

// A program of another maker hears the same meter: Debian's own tools.
func TestCommandSeenByOthers(t *testing.T) {
	m := Shared(t)
	meter := m.AddMeter(t, func(d *air.DeviceConfig, _ *sim.Config) { d.Channel = 7 })
	ctx, cancel := context.WithTimeout(context.Background(), waitTime)
	defer cancel()
	address := meter.Address().String()
	for _, tool := range []struct {
		args []string
		want string
	}{
		{[]string{"hcitool", "name", address}, "PowerSpy 4567"},
		{[]string{"sdptool", "browse", address}, "Channel: 7"},
	} {
		out, err := exec.CommandContext(ctx, tool.args[0], tool.args[1:]...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), tool.want) {
			t.Errorf("%v: %v, want %q in\n%s", tool.args, err, tool.want, out)
		}
	}
}
