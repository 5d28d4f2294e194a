package main

import (
	"context"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"powerspy2/internal/energy"
	"powerspy2/internal/job"
	"powerspy2/internal/owner"
	"powerspy2/measure"
	"powerspy2/record"
)

// runWatched runs the command of a job, and returns its exit status.
func (a *app) runWatched(ctx context.Context, s *session, p *jobPlan, m *jobMeter, r *energy.Result) (int, error) {
	marks := job.MarkList{Also: m.rec.Mark}
	command := job.Command{Args: p.command, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	pipe, err := a.openMarks(&marks)
	if err != nil {
		r.Warn("processes of the command can't mark phases: %v", err)
	} else {
		command.Marks = pipe
	}
	if p.pattern != nil {
		command.Terminal = term.IsTerminal(int(os.Stdout.Fd()))
		command.Lines = func(at time.Time, line []byte) {
			if found := p.pattern.FindSubmatch(line); found != nil {
				marks.Add(measure.Mark{Time: at, Name: job.PhaseName(found[1])})
			}
		}
	}
	s.progress.End()
	signals := a.env.signals.ForJob(true)
	j, err := job.Start(command)
	if err != nil {
		signals.Release()
		if pipe != nil {
			_, _ = pipe.Close() // there is an error to tell already
		}
		return 0, err
	}
	m.rec.Job(record.Job{Command: p.command, Start: j.Started()})
	signals.PassTo(j)
	result, err := j.Wait()
	signals.Release()
	if pipe != nil {
		cut, cerr := pipe.Close()
		if cerr != nil {
			r.Warn("%v", cerr)
		}
		if cut > 0 {
			r.Warn("names of marks were cut that are longer than %d bytes: %d", measure.MaxName, cut)
		}
	}
	if err != nil {
		return 0, err
	}
	r.Job = &result
	r.From, r.To = result.Start, result.End
	var dropped int
	if r.Marks, dropped = marks.Marks(); dropped > 0 {
		r.Warn("%d marks beyond the first %d were left out", dropped, job.MaxMarks)
	}
	if result.Held {
		r.Warn("processes that the command left behind still hold its standard output: what they write is lost from now on")
	}
	if result.Unread {
		r.Warn("nobody read the end of the command's standard output, which is lost")
	}
	return result.Status(), nil
}

// openMarks makes the pipe for the marks of a job.
func (a *app) openMarks(marks *job.MarkList) (*job.Marks, error) {
	dir, err := owner.Directory(a.env.getenv)
	if err != nil {
		return nil, err
	}
	return job.OpenMarks(dir, marks.Add)
}

// waitWatched measures without a command: until a process or a time has ended, or
// a signal comes.
func (a *app) waitWatched(ctx context.Context, s *session, p *jobPlan, process *job.Process, m *jobMeter, r *energy.Result) error {
	s.progress.End()
	signals := a.env.signals.ForJob(false)
	defer signals.Release()
	wctx, cancel := context.WithCancel(ctx)
	var told sync.WaitGroup
	told.Go(func() {
		select {
		case <-signals.Got():
			cancel()
		case <-wctx.Done():
		}
	})
	defer told.Wait()
	defer cancel()
	r.From = time.Now()
	m.rec.Job(record.Job{Start: r.From})
	var err error
	if process != nil {
		err = process.Wait(wctx)
	} else {
		select {
		case <-time.After(p.duration):
		case <-wctx.Done():
		}
	}
	r.To = time.Now()
	if wctx.Err() != nil {
		return nil // told to end, which is no failure
	}
	return err
}
