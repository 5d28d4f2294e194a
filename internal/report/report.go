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

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// grouped writes a whole number with thin spaces between groups of three digits.
func grouped(n int) string {
	text := fmt.Sprint(n)
	if len(text) <= 4 {
		return text
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}
