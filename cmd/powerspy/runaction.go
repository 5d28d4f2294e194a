package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"powerspy2/internal/cli"
	"powerspy2/internal/energy"
	"powerspy2/internal/job"
	"powerspy2/internal/owner"
	"powerspy2/internal/result"
	"powerspy2/measure"
	"powerspy2/record"
)

// runJob measures a job, and returns the exit status. An error is one of this
// program's.
func (a *app) runJob(c *cli.Context) (status int, err error) {
	p, err := a.parseRun(c)
	if err != nil {
		return ownFailure, err
	}
	if len(p.command) > 0 {
		if _, err := job.Find(p.command[0]); err != nil {
			return startStatus(err), err
		}
	}
	s, err := a.session(c)
	if err != nil {
		return ownFailure, err
	}
	defer s.progress.End()
	base, err := p.baseline.load()
	if err != nil {
		return ownFailure, err
	}
	var process *job.Process
	if p.pid != 0 {
		if process, err = job.OpenProcess(p.pid); err != nil {
			return ownFailure, err
		}
		defer process.Close()
	}
	rec, err := s.recording(c)
	if err != nil {
		return ownFailure, err
	}
	defer func() {
		cerr := err
		if rec.closing(&cerr); err == nil && cerr != nil {
			err = cerr
			status = cmp.Or(status, ownFailure) // that of the job comes first
		}
	}()
	var noticed energy.Notices
	p.sinks = append(p.sinks, &noticed)
	m, err := s.watchMeter(c.Context, &p.watchPlan, rec)
	switch {
	case err != nil && p.anyway && c.Context.Err() == nil:
		s.progress.Line("nothing will be measured: %s", sentence(err))
		m = &jobMeter{lost: err}
	case err != nil:
		return ownFailure, err
	}
	defer m.stop(s)
	if p.baseline.measure > 0 && m.watch != nil {
		if base, err = s.idle(c.Context, m, p.baseline.measure); err != nil {
			return ownFailure, err
		}
	}
	r := &energy.Result{
		Command: p.command, Baseline: base, Tool: versionText(),
		Cost: p.cost, Carbon: p.carbon, Work: p.work, Warnings: m.baselineWarnings(base, p.baseline.path != ""),
	}
	if status, err = a.measureJob(c.Context, s, p, process, m, r); err != nil {
		return startStatus(err), err
	}
	noticed.Warn(r)
	rec.Job(recordedJob(r))
	if err := a.writeResult(p, r); err != nil {
		// The job's own status tells what became of the job.
		if status == 0 {
			status = ownFailure
		}
		return status, err
	}
	return status, nil
}

// measureJob makes the result of a job, which it runs or waits for, and returns the
// exit status of its command.
func (a *app) measureJob(ctx context.Context, s *session, p *jobPlan, process *job.Process, m *jobMeter, r *energy.Result) (status int, err error) {
	if len(p.command) > 0 {
		status, err = a.runWatched(ctx, s, p, m, r)
	} else {
		err = a.waitWatched(ctx, s, p, process, m, r)
	}
	if err != nil {
		return 0, err
	}
	if m.watch != nil {
		r.Meter = result.MeterOf(m.src)
		r.Settle(ctx, m.watch)
	} else {
		r.Unmeasured(m.lost)
	}
	return status, nil
}

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

// writeResult writes the report where it is to go, and the actions.
func (a *app) writeResult(p *jobPlan, r *energy.Result) error {
	if p.actions.name != "" {
		if err := p.actions.write(a.env, r.Actions); err != nil {
			return err
		}
	}
	write := map[string]func(io.Writer) error{"text": r.Text, "json": r.JSON, "csv": r.CSV}[p.format]
	if p.output.name != "" {
		return p.output.write(a.env, write)
	}
	var b strings.Builder
	if err := write(&b); err != nil {
		return err
	}
	_, err := io.WriteString(a.env.stderr, b.String())
	return err
}

// recordedJob returns the job as a recording has it at its end.
func recordedJob(r *energy.Result) record.Job {
	j := record.Job{Command: r.Command, Start: r.From, End: r.To}
	var b bytes.Buffer
	if err := r.JSON(&b); err == nil { // a buffer takes all
		j.Result = bytes.TrimSpace(b.Bytes())
	}
	return j
}

// startStatus is the exit status for a command that can't be started.
func startStatus(err error) int {
	switch {
	case errors.Is(err, job.ErrNotFound):
		return notFound
	case errors.Is(err, job.ErrNotExecutable):
		return notExecutable
	}
	return ownFailure
}
