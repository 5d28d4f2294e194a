package report

import (
	"fmt"
	"time"

	"powerspy2/internal/bench"
)

// A Report is what a page or a picture shows.
type Report struct {
	Title string         // "": it says what is in it
	Made  time.Time      // when
	Zone  *time.Location // of times; nil: local time
	Tool  string         // version of the program that makes it

	Recordings []*Recording
	Benches    []Bench
	Jobs       []*Job
}

// A Bench is the result of a bench with the name of its file; "": there is none.
type Bench struct {
	Name   string
	Result *bench.Result
}

func (r *Report) localize() {
	if r.Zone == nil {
		r.Zone = time.Local
	}
}

func (r *Report) things() int { return len(r.Recordings) + len(r.Benches) + len(r.Jobs) }

// title says what the report is about.
func (r *Report) title() string {
	switch {
	case r.Title != "":
		return r.Title
	case r.things() != 1:
		return fmt.Sprintf("%d measurements of electric power", r.things())
	case len(r.Benches) == 1:
		return "Energy of " + count(len(r.Benches[0].Result.Series), "command")
	case len(r.Jobs) == 1:
		return "Energy of a command"
	}
	return "Electric power over time"
}

// span returns from when to when all of it was measured.
func (r *Report) span() (from, to time.Time) {
	take := func(a, b time.Time) {
		if from.IsZero() || a.Before(from) {
			from = a
		}
		if b.After(to) {
			to = b
		}
	}
	for _, recording := range r.Recordings {
		take(recording.from, recording.to)
	}
	for _, b := range r.Benches {
		for _, s := range b.Result.Series {
			for i := range s.Runs {
				if run := &s.Runs[i]; !run.Start.IsZero() { // a file may not tell it
					take(run.Start, run.Start.Add(run.Duration*time.Duration(max(run.Executions, 1))))
				}
			}
		}
	}
	for _, j := range r.Jobs {
		take(time.Time(j.result.Start), time.Time(j.result.End))
	}
	return from, to
}

// intro says when it was measured.
func (r *Report) intro() string {
	from, to := r.span()
	if from.IsZero() {
		return ""
	}
	return "Measured " + r.stretch(from, to)
}
