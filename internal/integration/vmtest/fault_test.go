//go:build integration && linux

package vmtest

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"powerspy2/bdaddr"
	"powerspy2/internal/integration/air"
	"powerspy2/powerspy/sim"
)

const (
	faultInterval = 500 * time.Millisecond
	faultAfter    = 15 * time.Second // of readings: their times are settled
	settles       = 5 * time.Second  // of readings after the recovery
)

// A faultRun is a measurement into which a fault comes.
type faultRun struct {
	p           *Process
	begin, end  time.Time // of the fault
	loses       time.Duration
	recover     time.Duration
	undisturbed bool
	device      string
	enough      int // readings, after the recovery
}

// watch begins to measure with a meter that is paired, without an end. Ten
// windows a second are easier on a guest than fifty.
func watch(t *testing.T, meter *Meter) *faultRun {
	t.Helper()
	r := &faultRun{device: meter.Address().String()}
	r.p = Start(t, Cmd{Args: []string{"measure", "--device", r.device, "--averaging", "5", "--interval", faultInterval.String()}, Timeout: 6 * time.Minute})
	return r
}

// settled waits until the measurement is fit for a fault.
func (r *faultRun) settled(t *testing.T) {
	t.Helper()
	r.p.WaitLines(t, int(faultAfter/faultInterval))
}

// readings waits for so much of them from now on.
func (r *faultRun) readings(t *testing.T, d time.Duration) {
	t.Helper()
	r.p.WaitLines(t, r.p.Lines()+int(d/faultInterval))
}

var gapLine = regexp.MustCompile(`nothing was measured from (\d\d:\d\d:\d\d\.\d{3}) to (\d\d:\d\d:\d\d\.\d{3}): (.*)`)

// check stops the measurement and checks it: no reading is wrong, is there
// twice or overlaps another; there is one gap, whose edges are those of the
// fault, and it ends soon after it.
func (r *faultRun) check(t *testing.T) {
	t.Helper()
	r.p.Signal(t, syscall.SIGINT)
	res := r.p.Wait(t)
	if want := map[bool]int{true: 0, false: 7}[r.undisturbed]; res.Status != want {
		t.Fatalf("want exit status %d; %v", want, res)
	}
	var last time.Time
	for _, l := range res.Stdout {
		f := plainLine.FindStringSubmatch(l.Text)
		if f == nil {
			t.Fatalf("line %q is not TIMESTAMP READING", l.Text)
		}
		us, _ := strconv.ParseInt(f[1], 10, 64)
		mw, _ := strconv.ParseFloat(f[2], 64)
		at := time.UnixMicro(us)
		if mw < 198_000 || mw > 202_000 {
			t.Errorf("reading %q, want 200000 mW within 1 %%", l.Text)
		}
		if !at.After(last) {
			t.Errorf("reading %q does not come after %v", l.Text, last)
		}
		last = at
	}
	gaps := gapLine.FindAllStringSubmatch(res.Stderr, -1)
	if r.undisturbed {
		if len(gaps) != 0 {
			t.Errorf("it was disturbed: %s", res.Stderr)
		}
		return
	}
	if len(gaps) != 1 {
		t.Fatalf("%d gaps, want 1: %s", len(gaps), res.Stderr)
	}
	day := r.begin.UTC().Truncate(24 * time.Hour)
	edge := func(s string) time.Time {
		at, err := time.Parse("15:04:05.000", s)
		if err != nil {
			t.Fatal(err)
		}
		return day.Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute +
			time.Duration(at.Second())*time.Second + time.Duration(at.Nanosecond()))
	}
	from, to := edge(gaps[0][1]), edge(gaps[0][2])
	t.Logf("the gap begins %v after the fault, and ends %v after it: %s",
		from.Sub(r.begin).Round(time.Millisecond), to.Sub(r.end).Round(time.Millisecond), gaps[0][3])
	if late := from.Sub(r.begin); late < -faultInterval || late > r.loses+faultInterval {
		t.Errorf("the gap begins %v after the fault; %s", late, res.Stderr)
	}
	if to.Before(r.end.Add(-faultInterval)) {
		t.Errorf("the gap ends %v before the fault", r.end.Sub(to))
	}
	if late := to.Sub(r.end); late > r.recover {
		t.Errorf("the gap ends %v after the fault, want %v; %s", late, r.recover, res.Stderr)
	}
}

// TestIntegrationFaultsOfMeters troubles several meters that are measured at
// once, each in its own way: every measurement goes on by itself.
func TestIntegrationFaultsOfMeters(t *testing.T) {
	m := Shared(t)
	faults := []struct {
		name  string
		begin func(*Meter) bool
		lasts time.Duration
		end   func(*Meter)
		loses time.Duration // of the fault's time, data still come
	}{
		{ // the longest one first: it lasts while the others are prepared
			name: "away for two minutes", lasts: 2 * time.Minute,
			begin: func(m *Meter) bool { m.SetAway(true); return true },
			end:   func(m *Meter) { m.SetAway(false) },
		},
		{
			name: "its program was killed and is back", lasts: 6 * time.Second,
			begin: func(m *Meter) bool { m.SetRefuse(true); return m.DropL2CAP() },
			end:   func(m *Meter) { m.SetRefuse(false) },
		},
		{
			name: "silent with the link up", lasts: 6 * time.Second,
			begin: func(m *Meter) bool { m.SetSilent(true); return true },
			end:   func(m *Meter) { m.SetSilent(false) },
		},
		{name: "hung until a new connection", begin: func(m *Meter) bool { m.Sim.Hang(); return true }},
		{name: "link dropped", begin: func(m *Meter) bool { return m.DropLink(air.ConnectionTimeout) }},
		{
			name: "disconnected by another client", loses: 4 * time.Second,
			begin: func(meter *Meter) bool { return m.disconnect(t, meter.Address()) },
		},
	}
	meters, runs := make([]*Meter, len(faults)), make([]*faultRun, len(faults))
	prepare := func(i int) {
		meters[i] = m.AddMeter(t, constant)
		checkStatus(t, Run(t, Cmd{Args: []string{"measure", "--device", meters[i].Address().String(), "--pin", "1234", "--count", "1", "--interval", "200ms"}}), 0)
		runs[i] = watch(t, meters[i])
	}
	var wg sync.WaitGroup
	trouble := func(i int) {
		f, meter, r := faults[i], meters[i], runs[i]
		r.settled(t)
		r.loses, r.recover = f.loses, 10*time.Second
		r.begin = time.Now()
		if !f.begin(meter) {
			t.Errorf("%s: there was nothing to trouble", f.name)
		}
		wg.Go(func() {
			// The fault is over when time is, which is what it is about.
			<-time.After(f.lasts)
			r.end = time.Now()
			if f.end != nil {
				f.end(meter)
			} else {
				r.recover += f.loses
			}
		})
	}
	prepare(0)
	trouble(0)
	for i := 1; i < len(faults); i++ {
		prepare(i)
	}
	for i := 1; i < len(faults); i++ {
		trouble(i)
	}
	wg.Wait()
	for _, r := range runs {
		r.enough = r.p.Lines() + int(settles/faultInterval)
	}
	for i, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			runs[i].p.WaitLines(t, runs[i].enough)
			runs[i].check(t)
		})
	}
	if !KernelRFCOMMAlive(t) {
		t.Error("the kernel's RFCOMM is dead")
	}
}

// disconnect has BlueZ end the link to a device, as bluetoothctl does.
func (m *Machine) disconnect(t testing.TB, a bdaddr.Address) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTime)
	defer cancel()
	if err := m.conn.Object(bluezName, devicePath(hci0, a)).CallWithContext(ctx, deviceIface+".Disconnect", dbus.FlagNoAutoStart).Err; err != nil {
		t.Errorf("disconnect: %v", err)
		return false
	}
	return true
}

// TestIntegrationFaultsOfMachine troubles the machine: its adapter, its radio
// switch, its Bluetooth service.
func TestIntegrationFaultsOfMachine(t *testing.T) {
	const away = 5 * time.Second
	faults := []struct {
		name        string
		begin, end  func(*testing.T, *Machine)
		undisturbed bool
		loses       time.Duration
	}{
		{
			name:  "adapter off and on",
			begin: func(t *testing.T, m *Machine) { m.SetPowered(t, false) },
			end:   func(t *testing.T, m *Machine) { m.SetPowered(t, true) },
		},
		{
			name:  "rfkill",
			begin: func(t *testing.T, m *Machine) { m.Block(t, true) }, loses: 2 * time.Second,
			end: func(t *testing.T, m *Machine) { m.Block(t, false) },
		},
		{
			name:  "adapter unplugged",
			begin: func(_ *testing.T, m *Machine) { m.Air.Unplug() },
			end: func(t *testing.T, m *Machine) {
				m.Air.Plug()
				m.waitAdapter(t, hci0, true, true)
			},
		},
		{
			name:  "bluetoothd killed",
			begin: func(t *testing.T, m *Machine) { m.StopDaemon(t) },
			end:   func(t *testing.T, m *Machine) { m.StartDaemon(t) }, undisturbed: true,
		},
		{
			name:  "bluetoothd stopped",
			begin: func(t *testing.T, m *Machine) { m.TerminateDaemon(t) }, loses: 3 * time.Second,
			end: func(t *testing.T, m *Machine) { m.StartDaemon(t) },
		},
	}
	m := Shared(t)
	meter := m.AddMeter(t, constant)
	checkStatus(t, Run(t, Cmd{Args: []string{"setup", "--pin", "1234"}}), 0)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			r := watch(t, meter)
			r.undisturbed, r.loses, r.recover = f.undisturbed, f.loses, 20*time.Second
			r.settled(t)
			r.begin = time.Now()
			f.begin(t, m)
			if f.undisturbed {
				r.readings(t, away)
			} else {
				<-time.After(away)
			}
			r.end = time.Now()
			f.end(t, m)
			r.readings(t, settles)
			r.check(t)
			if !KernelRFCOMMAlive(t) {
				t.Error("the kernel's RFCOMM is dead")
			}
		})
	}
}

// The wall clock is set during a measurement: no reading moves, and it is told.
func TestCommandClockSet(t *testing.T) {
	m := Shared(t)
	meter := m.AddMeter(t, func(d *air.DeviceConfig, s *sim.Config) { constant(d, s) })
	checkStatus(t, Run(t, Cmd{Args: []string{"setup", "--pin", "1234"}}), 0)
	r := watch(t, meter)
	r.readings(t, 3*time.Second)
	for _, by := range []time.Duration{-time.Hour, 2 * time.Hour, -time.Hour} {
		setClock(t, by)
		r.readings(t, 2*time.Second)
	}
	r.undisturbed = true
	r.check(t)
	if said := r.p.result.Stderr; strings.Count(said, "the wall clock was set") != 3 {
		t.Errorf("it does not tell of three steps: %s", said)
	}
	checkPlain(t, &r.p.result, 10, 1<<20, faultInterval)
}

// setClock moves the wall clock.
func setClock(t testing.TB, by time.Duration) {
	t.Helper()
	tv := syscall.NsecToTimeval(time.Now().Add(by).UnixNano())
	if err := syscall.Settimeofday(&tv); err != nil {
		t.Fatal(err)
	}
}
