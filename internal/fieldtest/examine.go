package fieldtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"powerspy2/internal/field"
	"powerspy2/meter"
	"powerspy2/powerspy"
)

// A Config says which meter is asked.
type Config struct {
	Meter   meter.Config
	Program string // what is written down as the version of this program

	// KeepIdentity leaves serial number and addresses in the file. Otherwise
	// stand-ins take their place.
	KeepIdentity bool

	// Report, if not nil, is told what is being asked.
	Report func(text string)
}

// lengths are the windows, in mains periods, that streams are tried with, and
// for how long each: some 5 minutes with all else.
var lengths = [...]struct {
	periods int
	watch   time.Duration
	starts  int // more of them, for two frames each
}{
	{1, 30 * time.Second, 10},
	{2, 30 * time.Second, 10},
	{5, 25 * time.Second, 10},
	{10, 20 * time.Second, 10},
	{25, 20 * time.Second, 6},
	{50, 20 * time.Second, 6},
}

const (
	// mainsAnswers are asked for mainsEvery each, which makes a minute.
	mainsAnswers = 31
	mainsEvery   = 2 * time.Second

	roundTrips = 20

	// Bounds of the steps that are no streams. A request has 2 s, and each byte
	// of the EEPROM one of its own, which takes some 50 ms.
	askTime    = 90 * time.Second
	eepromTime = time.Minute
	cardTime   = 30 * time.Second

	// checkTime bounds a look whether a meter is still there after a step that
	// failed, reopenTime getting it back, leaveTime what is tidied up at the end.
	checkTime   = 5 * time.Second
	reopenTime  = time.Minute
	reopenPause = 3 * time.Second
	leaveTime   = 5 * time.Second
)

// ErrCapturing is a meter that has been told to capture something, which a field
// test would end.
var ErrCapturing = errors.New("the meter waits for the trigger of a capture, or is making it, which a field test would end")

// Examine asks a meter all that only a real one knows. The error is that of
// opening it, as of [meter.Open], or [ErrCapturing]. What fails later, or is refused, is in the
// file, and what comes after it is asked all the same, over a new link if need
// be. When ctx ends, the file holds what was found until then. In any case the
// meter has been left as it was: it does not stream, its capture is cancelled;
// its EEPROM, clock, log and files have only been read.
func Examine(ctx context.Context, cfg Config) (*field.File, error) {
	m, err := meter.Open(ctx, cfg.Meter)
	if err != nil {
		return nil, err
	}
	if s := m.Info().Identity.Status; s == powerspy.Waiting || s == powerspy.Acquiring {
		_ = m.Close() // nothing was begun
		return nil, &meter.Error{Kind: meter.ErrNoAnswer, Op: "field test of " + m.Target().String(), Err: ErrCapturing}
	}
	began := time.Now()
	e := &examiner{cfg: &cfg, ctx: ctx, m: m, file: &field.File{
		Format: field.Format, Version: field.Version, Program: cfg.Program, Date: began.UTC().Format(time.DateOnly),
	}}
	e.examine()
	e.leave()
	e.file.Seconds = time.Since(began).Round(time.Millisecond).Seconds()
	e.file.Interrupted = ctx.Err() != nil
	if !cfg.KeepIdentity {
		disguise(e.file, m.Target())
	}
	return e.file, nil
}

// An examiner fills in a file.
type examiner struct {
	cfg  *Config
	ctx  context.Context
	m    *meter.Meter
	lost error // why there is no link any more; nil while there is
	file *field.File
}

func (e *examiner) examine() {
	e.identity()
	e.step("asking for its identity", &e.file.RoundTrips.Outcome, askTime, e.roundTrips)
	e.step("reading the EEPROM", &e.file.EEPROM.Outcome, eepromTime, e.eeprom)
	for _, l := range lengths {
		e.file.Streams = append(e.file.Streams, e.stream(l.periods, l.watch, l.starts))
	}
	e.step("asking for the mains frequency, for a minute", &e.file.Mains.Outcome, askTime, e.mains)
	e.capture()
	e.card()
	e.file.RoundTrips.Shortest = float64(e.m.Client().RoundTrip().Microseconds()) / 1000
}

// step asks something in a bounded time, and writes down what became of it.
func (e *examiner) step(text string, o *field.Outcome, limit time.Duration, ask func(context.Context) error) {
	if !e.ready(o) {
		return
	}
	e.report("%s", text)
	ctx, cancel := context.WithTimeout(e.ctx, limit)
	defer cancel()
	*o = outcome(ask(ctx))
	e.restore(*o)
}

// ready reports whether more can be asked, and says in o why not.
func (e *examiner) ready(o *field.Outcome) bool {
	switch {
	case e.ctx.Err() != nil:
		*o = field.Outcome{Status: field.NotAsked, Error: "interrupted"}
	case e.lost != nil:
		*o = field.Outcome{Status: field.NotAsked, Error: e.lost.Error()}
	default:
		return true
	}
	return false
}

// restore sees to it that after a step that failed the meter listens again.
func (e *examiner) restore(o field.Outcome) {
	if o.Status != field.Failed && o.Status != field.Silent || e.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(e.ctx, checkTime)
	_, err := e.m.Client().Identity(ctx)
	cancel()
	if err == nil {
		return
	}
	e.report("connecting again")
	_ = e.m.Close() // what was wrong with the link is known already
	ctx, cancel = context.WithTimeout(e.ctx, reopenTime)
	defer cancel()
	for err = e.reopen(ctx); err != nil && !meter.IsFinal(err); err = e.reopen(ctx) {
		select {
		case <-time.After(reopenPause):
			continue
		case <-ctx.Done():
		}
		break
	}
	if err != nil {
		e.lost = fmt.Errorf("the link was lost: %w", err)
	}
}

// reopen connects anew, which ends a stream that an earlier link left behind.
func (e *examiner) reopen(ctx context.Context) error {
	m, err := meter.Open(ctx, e.cfg.Meter)
	if err == nil {
		e.m = m
	}
	return err
}

// leave leaves the meter as it was, and closes the link.
func (e *examiner) leave() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), leaveTime)
	defer cancel()
	// Streams and the capture have been ended by those who began them; this is
	// for what went wrong, and its failure adds nothing to that.
	if e.lost != nil && e.reopen(ctx) != nil {
		return
	}
	_ = e.m.Client().Stop(ctx)
	_ = e.m.Close()
}

func (e *examiner) report(format string, args ...any) {
	if e.cfg.Report != nil {
		e.cfg.Report(fmt.Sprintf(format, args...))
	}
}

// identity writes down who the meter is, and how it is reached.
func (e *examiner) identity() {
	info := e.m.Info()
	id := info.Identity
	e.file.Meter = field.Meter{
		Name: info.Target.Name, Generation: int(id.Generation()), Serial: id.Serial, Firmware: id.Firmware, Hardware: id.Hardware,
		Status: string(rune(id.Status)), PLLLocked: id.PLLLocked, Trigger: id.Trigger, Frequency: info.Frequency,
	}
	e.file.Host = field.Host{
		Link: info.Target.Kind.String(), Kernel: kernelVersion(), Machine: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info.Target.Kind != meter.Bluetooth {
		return
	}
	e.file.Meter.Address = info.Target.Address.String()
	ctx, cancel := context.WithTimeout(e.ctx, checkTime)
	defer cancel()
	a, err := e.m.Adapter(ctx)
	if err != nil {
		a.Address = info.Target.Adapter // nothing hangs on the rest
	}
	e.file.Host.Adapter, e.file.Host.BlueZ = AdapterOf(a), a.BlueZ
}

// AdapterOf returns an adapter as it stands in files and reports.
func AdapterOf(a meter.Adapter) field.Adapter {
	f := field.Adapter{ID: a.ID, Driver: a.Driver, USB: a.USB}
	if !a.Address.IsZero() {
		f.Address = a.Address.String()
	}
	return f
}

// kernelVersion returns the version of the kernel; empty where it is not told.
func kernelVersion() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// roundTrips times requests that are answered at once.
func (e *examiner) roundTrips(ctx context.Context) error {
	for range roundTrips {
		sent := time.Now()
		if _, err := e.m.Client().Identity(ctx); err != nil {
			return err
		}
		e.file.RoundTrips.Milliseconds = append(e.file.RoundTrips.Milliseconds, msSince(sent))
	}
	return nil
}

func msSince(t time.Time) float64 { return float64(time.Since(t).Microseconds()) / 1000 }

func (e *examiner) eeprom(ctx context.Context) error {
	p := make([]byte, field.EEPROMSize)
	err := e.m.ReadEEPROM(ctx, 0, p)
	if err == nil {
		e.file.EEPROM.Bytes = p
	}
	return err
}

// mains asks for the mains frequency for a minute.
func (e *examiner) mains(ctx context.Context) error {
	began := time.Now()
	tick := time.NewTicker(mainsEvery)
	defer tick.Stop()
	for n := range mainsAnswers {
		if n > 0 {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		sent := time.Now()
		hertz, err := e.m.Client().Frequency(ctx)
		if err != nil {
			return err
		}
		e.file.Mains.Answers = append(e.file.Mains.Answers, field.MainsAnswer{
			At: sent.Sub(began).Round(time.Millisecond).Seconds(), Hertz: hertz, Milliseconds: msSince(sent),
		})
	}
	return nil
}

// stream watches the meter stream with windows of one length, and then begins
// some more times, since each first frame is wrong in another way.
func (e *examiner) stream(periods int, watch time.Duration, starts int) field.Stream {
	s := field.Stream{Periods: periods}
	if !e.ready(&s.Outcome) {
		return s
	}
	e.report("streaming windows of %s, for %v", Periods(periods), watch)
	s, _ = Watch(e.ctx, e.m, periods, watch) // the end of ctx shows at the next step
	e.restore(s.Outcome)
	for range starts {
		if s.Status != field.Done || e.ctx.Err() != nil || e.lost != nil {
			break
		}
		begun, o := start(e.ctx, e.m, periods)
		if o.Status != field.Done {
			e.restore(o)
			break
		}
		s.Starts = append(s.Starts, begun)
	}
	return s
}

// Periods writes a number of mains periods.
func Periods(n int) string {
	if n == 1 {
		return "1 mains period"
	}
	return fmt.Sprintf("%d mains periods", n)
}
