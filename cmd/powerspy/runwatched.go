package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"powerspy2/internal/harmless"
	"powerspy2/internal/job"
	"powerspy2/internal/owner"
	"powerspy2/measure"
	"powerspy2/record"
)

// runWatched runs the command of a job, and returns its exit status.
func (a *app) runWatched(ctx context.Context, s *session, p *jobPlan, m *jobMeter, r *jobResult) (int, error) {
	marks := markList{also: m.rec.Mark}
	command := job.Command{Args: p.command, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	pipe, err := a.openMarks(&marks)
	if err != nil {
		r.warn("processes of the command can't mark phases: %v", err)
	} else {
		command.Env = pipe.Env()
	}
	if p.pattern != nil {
		command.Terminal = term.IsTerminal(int(os.Stdout.Fd()))
		command.Lines = func(at time.Time, line []byte) {
			if found := p.pattern.FindSubmatch(line); found != nil {
				marks.add(measure.Mark{Time: at, Name: markName(string(found[1]))})
			}
		}
	}
	s.progress.End()
	signals := a.takeSignals(true)
	j, err := job.Start(command)
	if err != nil {
		signals.release()
		if pipe != nil {
			_, _ = pipe.Close() // there is an error to tell already
		}
		return 0, err
	}
	m.rec.Job(record.Job{Command: p.command, Start: j.Started()})
	signals.passTo(j)
	result, err := j.Wait()
	signals.release()
	if pipe != nil {
		cut, cerr := pipe.Close()
		if cerr != nil {
			r.warn("%v", cerr)
		}
		if cut > 0 {
			r.warn("%d names of marks were longer than %d bytes and were cut", cut, measure.MaxName)
		}
	}
	if err != nil {
		return 0, err
	}
	r.job = &result
	r.from, r.to = result.Start, result.End
	r.marks = marks.list
	if marks.dropped > 0 {
		r.warn("%d marks beyond the first %d were left out", marks.dropped, mostMarks)
	}
	if result.Held {
		r.warn("processes that the command left behind still hold its standard output: what they write is lost from now on")
	}
	return result.Status(), nil
}

// openMarks makes the pipe for the marks of a job.
func (a *app) openMarks(marks *markList) (*job.Marks, error) {
	dir, err := owner.Directory(a.env.getenv)
	if err != nil {
		return nil, err
	}
	return job.OpenMarks(dir, marks.add)
}

// markName makes a name of what a command has printed.
func markName(text string) string {
	mark, _ := job.ParseMark(text, time.Time{})
	if mark.End {
		return "(empty)"
	}
	return harmless.Text(mark.Name)
}

// mostMarks bounds the marks of a job.
const mostMarks = 1 << 20

// A markList gathers marks from several goroutines.
type markList struct {
	also    func(measure.Mark) // is told of each
	mu      sync.Mutex
	list    []measure.Mark
	dropped int
}

func (l *markList) add(m measure.Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == mostMarks {
		l.dropped++
		return
	}
	l.list = append(l.list, m)
	l.also(m)
}

// waitWatched measures without a command: until a process or a time has ended, or
// a signal comes.
func (a *app) waitWatched(ctx context.Context, s *session, p *jobPlan, process *job.Process, r *jobResult) error {
	s.progress.End()
	signals := a.takeSignals(false)
	defer signals.release()
	wctx, cancel := context.WithCancel(ctx)
	var told sync.WaitGroup
	told.Go(func() {
		select {
		case <-signals.got:
			cancel()
		case <-wctx.Done():
		}
	})
	defer told.Wait()
	defer cancel()
	r.from = time.Now()
	r.meter.rec.Job(record.Job{Start: r.from})
	var err error
	if process != nil {
		err = process.Wait(wctx)
	} else {
		select {
		case <-time.After(p.duration):
		case <-wctx.Done():
		}
	}
	r.to = time.Now()
	if wctx.Err() != nil {
		return nil // told to end, which is no failure
	}
	return err
}

// jobSignals are the signals that this program gets while a job runs.
type jobSignals struct {
	got      chan os.Signal
	releases []func()
}

// takeSignals keeps signals from ending this program. For a command it also
// gives signals that are ignored here their usual meaning there.
func (a *app) takeSignals(command bool) *jobSignals {
	s := &jobSignals{got: make(chan os.Signal, 16)}
	taken := a.env.signals
	if taken == nil {
		taken = new(signals)
	}
	s.releases = append(s.releases, taken.take(s.got), func() { signal.Stop(s.got) })
	if !command {
		return s
	}
	s.releases = append(s.releases, catchQuit())
	signal.Notify(s.got, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	if taken.ignored {
		signal.Ignore(os.Interrupt)
	}
	// What is ignored stays so in a new program, what is caught does not.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGPIPE, syscall.SIGXFSZ)
	s.releases = append(s.releases, func() { signal.Ignore(syscall.SIGPIPE, syscall.SIGXFSZ) })
	return s
}

// passTo passes the signals on to a job. Those that a terminal sends to all who
// are in its foreground have reached the command already.
func (s *jobSignals) passTo(j *job.Job) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case sig := <-s.got:
				if (sig == os.Interrupt || sig == syscall.SIGQUIT) && inForeground() {
					continue
				}
				j.Signal(sig)
			case <-stop:
				return
			}
		}
	}()
	s.releases = append(s.releases, func() { close(stop); <-stopped })
}

func (s *jobSignals) release() {
	for _, f := range s.releases {
		f()
	}
}

// inForeground reports whether a terminal sends its signals to this process group.
func inForeground() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// settle waits for the windows that cover the end of the job, and makes the result
// of what was measured.
func (r *jobResult) settle(ctx context.Context) {
	m := r.meter
	if m.watch == nil {
		r.gaps = []jobGap{{r.from, r.to, fmt.Sprint(m.lost)}}
		r.span = measure.Span{From: r.from, To: r.to}
		return
	}
	m.watch.Settle(ctx, r.to, measure.Patience)
	h := m.watch.History
	r.span = h.Span(r.from, r.to)
	r.phases = h.Phases(measure.Phases(r.marks, r.from, r.to))
	r.totals = measure.Totals(r.phases)
	for _, g := range h.Gaps(r.from, r.to) {
		r.gaps = append(r.gaps, jobGap{later(g.From, r.from), earlier(g.To, r.to), g.Reason})
	}
	if reached := h.Reached(); reached.Before(r.to) {
		reason := "the meter had not measured it two seconds after the end"
		if m.watch.Context().Err() != nil && ctx.Err() == nil {
			if _, err := m.watch.Stop(); err != nil {
				reason = err.Error()
			}
		}
		r.gaps = append(r.gaps, jobGap{later(reached, r.from), r.to, reason})
	}
	r.warnShort()
	if r.base != nil {
		r.net, r.netUncertainty = r.base.Net(&r.span)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
