package report

import (
	_ "embed" // of the page's parts
	"html/template"
	"io"

	"powerspy2/internal/chart"
	"powerspy2/internal/harmless"
	"powerspy2/internal/result"
)

// The parts of the page. The script has no library and asks for nothing.
var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	ownStyle string
	//go:embed page.js
	ownScript string

	styleText  = chart.Style + ownStyle
	scriptText = chart.Script + ownScript
)

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// A page is what the template shows.
type page struct {
	Title    string
	Intro    string
	Policy   string
	Style    template.CSS
	Script   template.JS
	Data     template.JS
	Sections []section
	Tool     string
	Made     string
}

// A section is one recording, bench or job.
type section struct {
	ID      string
	Title   string
	About   string // a line below the title
	Notices []string
	Cards   []card
	Plots   []plotView
	Tables  []table
	Method  []string // paragraphs
}

// A card is a figure that stands out.
type card struct{ Label, Value, Note string }

// A plotView is a place where the script draws.
type plotView struct {
	Kind    string // what the script draws
	Index   int    // of the recording or the bench in the data
	Title   string
	Summary string // for who does not see it
	Key     string // what its signs mean
	Zooms   bool   // it is over time and can be zoomed
}

// A table has names of columns, and rows whose first cell names them.
type table struct {
	Caption string
	Columns []string
	Rows    [][]string
	Note    string
	Folded  bool // it is long, and shown when asked for
}

// HTML writes the page.
func (r *Report) HTML(w io.Writer) error {
	r.localize()
	data, err := r.data()
	if err != nil {
		return err
	}
	p := page{
		Title: harmless.Text(r.title()), Intro: r.intro(), Style: template.CSS(styleText), Script: template.JS(scriptText), Data: template.JS(data),
		Policy: chart.Policy(scriptText, styleText, ""), Tool: harmless.Text(r.Tool), Made: r.moment(r.Made),
	}
	for i, recording := range r.Recordings {
		p.Sections = append(p.Sections, r.recordingSection(recording, i))
	}
	for i, b := range r.Benches {
		p.Sections = append(p.Sections, r.benchSection(b, i))
	}
	for i, j := range r.Jobs {
		p.Sections = append(p.Sections, r.jobSection(j, i))
	}
	return pageTemplate.Execute(w, &p)
}

// data returns the embedded data.
func (r *Report) data() ([]byte, error) {
	d := dataJSON{
		Type: dataType, Version: dataVersion, Made: result.Moment(r.Made), Tool: result.Tool{Version: r.Tool}, Zone: []offsetJSON{},
		Recordings: []recordingJSON{}, Benches: []benchJSON{}, Jobs: []jobFileJSON{},
	}
	if from, to := r.span(); !from.IsZero() {
		d.Zone = offsets(r.Zone, from, to)
	}
	for _, recording := range r.Recordings {
		d.Recordings = append(d.Recordings, recording.data())
	}
	for _, b := range r.Benches {
		j, err := b.data()
		if err != nil {
			return nil, err
		}
		d.Benches = append(d.Benches, j)
	}
	for _, j := range r.Jobs {
		d.Jobs = append(d.Jobs, jobFileJSON{j.name, j.raw})
	}
	return encode(&d)
}
