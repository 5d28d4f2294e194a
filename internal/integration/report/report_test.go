// Package report_test looks at the page of `powerspy report` in a real browser.
package report_test

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"powerspy2/internal/bench"
	"powerspy2/internal/integration/browser"
	"powerspy2/internal/report"
	"powerspy2/internal/report/reporttest"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
	"powerspy2/record"
)

func TestMain(m *testing.M) { os.Exit(browser.Main(m)) }

// made is the page of a recording of d, and of a bench of three commands with 30 runs.
func made(t *testing.T, d time.Duration) (page []byte, file string) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "report.html")
	if page = pages[d]; page != nil {
		if err := os.WriteFile(file, page, 0o600); err != nil {
			t.Fatal(err)
		}
		return page, file
	}
	path := filepath.Join(dir, "power.jsonl.zst")
	if err := reporttest.Write(path, d); err != nil {
		t.Fatal(err)
	}
	pages[d] = write(t, path, file, report.Reading{Name: "power.jsonl.zst"}, report.Bench{Name: "bench.json", Result: reporttest.Bench(30)})
	return pages[d], file
}

// write writes the page of a recording, and of benches.
func write(t *testing.T, path, file string, how report.Reading, benches ...report.Bench) []byte {
	t.Helper()
	recording, err := reporttest.Read(t.Context(), path, how)
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	r := report.Report{
		Made: reporttest.Start.Add(48 * time.Hour), Zone: zone, Tool: "v1.0.0", Recordings: []*report.Recording{recording},
		Benches: benches,
	}
	var b bytes.Buffer
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pages are those that were made, by the length of their recording.
var pages = map[time.Duration][]byte{}

// silent says that a page has said nothing and asked for nothing but itself.
func silent(t *testing.T, p *browser.Page, url string) {
	t.Helper()
	if said := p.Said(); len(said) > 0 {
		t.Errorf("on the console: %q", said)
	}
	for _, r := range p.Requests() {
		if r != url {
			t.Errorf("it asked for %s", r)
		}
	}
	if browser.Eval[bool](p, `"harmed" in window`) {
		t.Error("a name was taken for code")
	}
}

const (
	plot    = `document.querySelector("figure[data-kind=power] .plot")`
	readout = `document.querySelector("figure[data-kind=power] .readout").textContent`
	drawn   = `document.documentElement.dataset.drawn`
)

// place returns where a moment is drawn, in CSS pixels of the window.
func place(p *browser.Page, at time.Time) (x, y float64) {
	p.Wait(drawn)
	view := browser.Eval[[]float64](p, `(() => { const e = `+plot+`; e.scrollIntoView({ block: "center" }); const r = e.getBoundingClientRect();
		return [r.left, r.right, r.top + r.height / 2, Number(e.dataset.from), Number(e.dataset.to)]; })()`)
	const left, right = 52, 10 // the borders of the picture
	share := (float64(at.UnixMicro())/1e6 - view[3]) / (view[4] - view[3])
	return view[0] + left + share*(view[1]-right-view[0]-left), view[2]
}

// TestHour: the page of an hour opens quickly, stands alone, and shows a peak of one
// window and a gap, with their values and times.
func TestHour(t *testing.T) {
	page, file := made(t, time.Hour)
	if len(page) > 10<<20 {
		t.Errorf("%d bytes", len(page))
	}
	url := "file://" + file
	p := browser.NewPage(t)
	p.Size(1200, 900)
	began := time.Now()
	p.Open(url)
	p.Wait(drawn)
	took := time.Since(began)
	t.Logf("the page of an hour has %.1f MB and is drawn after %v", float64(len(page))/1e6, took.Round(time.Millisecond))
	if took > time.Minute {
		t.Errorf("it is drawn after %v", took)
	}
	if got := browser.Eval[string](p, plot+`.querySelector(".highest").textContent`); got != "300.00 W" {
		t.Errorf("the highest power that is named is %q", got)
	}
	// Its peak reaches up in the picture, too.
	tall := browser.Eval[float64](p, plot+`.querySelector(".area").getBBox().height`)
	if tall < 150 {
		t.Errorf("the power reaches over %.0f pixels", tall)
	}

	peak := reporttest.PeakTime(time.Hour)
	p.Hover(place(p, peak))
	text := browser.Eval[string](p, readout)
	if want := "to 300.00 W, mean 6"; !strings.Contains(text, want) || !strings.Contains(text, "highest at "+peak.Add(time.Hour).Format("15:04:05.000")+" for 20.0 ms") {
		t.Errorf("above the peak it says %q", text)
	}
	gap := reporttest.GapTime(time.Hour)
	p.Hover(place(p, gap))
	if text := browser.Eval[string](p, readout); !strings.Contains(text, "not measured (the link <was> lost)") {
		t.Errorf("above the gap it says %q", text)
	}
	x, _ := place(p, gap)
	if hatched := browser.Eval[bool](p, fmt.Sprintf(`[...document.querySelectorAll(".gap")].some((g) => { const r = g.getBoundingClientRect(); return r.left <= %g && %[1]g <= r.right && r.height > 100; })`, x)); !hatched {
		t.Error("the gap is not drawn where it is")
	}
	if crossed := browser.Eval[bool](p, fmt.Sprintf(`(() => { const a = document.querySelector(".area"); const r = a.ownerSVGElement.getScreenCTM(); const q = a.ownerSVGElement.createSVGPoint();
		q.x = (%g - r.e) / r.a; for (q.y = 0; q.y < 400; q.y++) if (a.isPointInFill(q)) return true; return false; })()`, x)); crossed {
		t.Error("power is drawn through the gap")
	}
	silent(t, p, url)
}

// view returns the times that are shown, in seconds.
func view(p *browser.Page) (from, to float64) {
	v := browser.Eval[[]float64](p, `[Number(`+plot+`.dataset.from), Number(`+plot+`.dataset.to)]`)
	return v[0], v[1]
}

// TestView: keys, buttons and the mouse zoom and move, and stay within what was
// measured; what a key reads is spoken.
func TestView(t *testing.T) {
	const d = time.Minute
	_, file := made(t, d)
	p := browser.NewPage(t)
	p.Size(1200, 900)
	p.Open("file://" + file)
	p.Wait(drawn)
	first, last := view(p)
	near := func(got, want float64) bool { return got-want < 0.01 && want-got < 0.01 }
	check := func(what string, from, to float64) {
		t.Helper()
		if a, b := view(p); !near(a, from) || !near(b, to) {
			t.Errorf("%s: %.3f to %.3f, want %.3f to %.3f", what, a-first, b-first, from-first, to-first)
		}
	}
	if !near(last-first, (d + reporttest.Gap).Seconds()) {
		t.Errorf("%.3f s are shown", last-first)
	}
	range0 := last - first
	browser.Eval[bool](p, plot+`.focus() || true`)
	p.Keys("+")
	check("zoom in", first+range0/4, last-range0/4)
	p.Keys(kb.ArrowLeft)
	check("move", first+range0/8, last-range0*3/8)
	p.Keys(kb.ArrowLeft + kb.ArrowLeft + kb.ArrowLeft)
	check("move to the beginning", first, first+range0/2)
	p.Keys("-")
	check("zoom out", first, last)
	p.Keys("----")
	check("no farther out", first, last)
	for range 30 {
		p.Keys("+")
	}
	if a, b := view(p); b-a < 0.04 || b-a > 0.06 {
		t.Errorf("zoomed in to %.3f s", b-a)
	}
	p.Keys("0")
	check("all", first, last)
	p.Keys("h")
	if text := browser.Eval[string](p, readout); !strings.Contains(text, "300.00 W") {
		t.Errorf("the highest power reads %q", text)
	}
	if live := browser.Eval[string](p, `document.querySelector(".readout").getAttribute("aria-live")`); live != "polite" {
		t.Errorf("what a key reads is aria-live %q", live)
	}
	before := browser.Eval[string](p, readout)
	p.Keys(kb.ArrowRight, chromedp.ModifierShift)
	if text := browser.Eval[string](p, readout); text == before || !strings.Contains(text, " W") {
		t.Errorf("shift and an arrow read %q", text)
	}

	browser.Eval[bool](p, `document.querySelector("[data-do=in]").click() || true`)
	p.Keys("0") // the focus has stayed
	x, y := place(p, reporttest.Start.Add(d/2))
	p.Keys("++")
	a, _ := view(p)
	p.Drag(x, y, x+200, y)
	if b, _ := view(p); b >= a {
		t.Errorf("dragged to the right it goes from %.3f to %.3f s", a-first, b-first)
	}
	p.Keys("0")
	browser.Eval[bool](p, `document.querySelector("[data-do=zero]").click() || true`)
	if pressed := browser.Eval[string](p, `document.querySelector("[data-do=zero]").getAttribute("aria-pressed")`); pressed != "false" {
		t.Errorf("the button for zero is pressed: %s", pressed)
	}
	silent(t, p, "file://"+file)
}

// TestAccessible: axe-core has nothing to say, in light and in dark, and on a phone
// nothing is wider than the window.
func TestAccessible(t *testing.T) {
	_, file := made(t, time.Minute)
	p := browser.NewPage(t)
	p.Size(1200, 900)
	p.Open("file://" + file)
	p.Wait(drawn)
	p.Accessible()
}

// TestPrint: what only works on a screen is not printed, and a dark screen prints on
// white.
func TestPrint(t *testing.T) {
	_, file := made(t, time.Minute)
	p := browser.NewPage(t)
	p.Media("print", "dark")
	p.Open("file://" + file)
	p.Wait(drawn)
	for _, name := range []string{".tools", ".keys", ".readout", "nav"} {
		if shown := browser.Eval[string](p, `getComputedStyle(document.querySelector("`+name+`")).display`); shown != "none" {
			t.Errorf("%s is printed: %s", name, shown)
		}
	}
	if paper := browser.Eval[string](p, `getComputedStyle(document.body).backgroundColor`); paper != "rgb(255, 255, 255)" {
		t.Errorf("printed on %s", paper)
	}
	if pdf := p.Print(); !bytes.HasPrefix(pdf, []byte("%PDF-")) || len(pdf) < 20_000 {
		t.Errorf("%d bytes of PDF", len(pdf))
	}
}

// TestPolicy: a server's policy that allows only the page's own parts is enough for it.
func TestPolicy(t *testing.T) {
	page, _ := made(t, time.Minute)
	found := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindSubmatch(page)
	if found == nil {
		t.Fatal("the page has no policy")
	}
	policy := strings.NewReplacer("&#39;", "'", "&#43;", "+").Replace(string(found[1]))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy+"; frame-ancestors 'none'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	}))
	defer s.Close()
	p := browser.NewPage(t)
	p.Open(s.URL + "/")
	p.Wait(drawn)
	silent(t, p, s.URL+"/")
}

// TestOdd: recordings that are hard to draw are drawn, and the whole of each is shown.
func TestOdd(t *testing.T) {
	long := measuretest.Windows(time.Date(2026, 3, 28, 20, 0, 0, 0, time.UTC), 24*60, time.Minute, 60)
	for i := range long {
		long[i].Window.Power = 60 + 20*math.Sin(float64(i)/100)
	}
	below := measuretest.Windows(reporttest.Start, 50, reporttest.Window, -5)
	below[20].Window.Power = -120
	for name, tt := range map[string]struct {
		events []meter.Event
		points int
		ticks  []string
	}{
		"one window":       {events: measuretest.Windows(reporttest.Start, 1, reporttest.Window, 60)},
		"nothing is drawn": {events: measuretest.Windows(reporttest.Start, 50, reporttest.Window, 0)},
		"power flows back": {events: below, ticks: []string{"-100"}},
		"merged":           {events: measuretest.Windows(reporttest.Start, 5000, reporttest.Window, 60), points: 300},
		"a change of time": {events: long, ticks: []string{"2026-03-28", "2026-03-29", "00:00", "06:00", "18:00"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, file := filepath.Join(dir, "odd.jsonl"), filepath.Join(dir, "odd.html")
			err := reporttest.Record(path, func(w *record.Writer) error {
				for i := range tt.events {
					if err := w.Event(&tt.events[i]); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, file, report.Reading{Name: name, Points: tt.points})
			p := browser.NewPage(t)
			p.Open("file://" + file)
			p.Wait(drawn)
			from, to := view(p)
			first, last := tt.events[0].Window.Start, tt.events[len(tt.events)-1].Window.End
			if d := to - from; math.Abs(d-last.Sub(first).Seconds()) > 0.001 {
				t.Errorf("%g s are shown", d)
			}
			if n := browser.Eval[int](p, plot+`.querySelectorAll(".line").length`); n != 1 {
				t.Errorf("%d lines", n)
			}
			texts := browser.Eval[[]string](p, `[...`+plot+`.querySelectorAll("text")].map((t) => t.textContent)`)
			for _, want := range tt.ticks {
				if !slices.Contains(texts, want) {
					t.Errorf("no %q in %q", want, texts)
				}
			}
			browser.Eval[bool](p, plot+`.focus() || true`)
			p.Keys("++h0")
			silent(t, p, "file://"+file)
		})
	}
}

// TestBench: each run is a dot, in the row of its command and over time.
func TestBench(t *testing.T) {
	_, file := made(t, time.Minute)
	p := browser.NewPage(t)
	p.Size(1200, 900)
	p.Open("file://" + file)
	p.Wait(drawn + ` && document.querySelector("figure[data-kind=drift] svg")`)
	if n := browser.Eval[int](p, `document.querySelectorAll("figure[data-kind=runs] .dot").length`); n != 90 {
		t.Errorf("%d dots for 90 runs", n)
	}
	res := reporttest.Bench(30)
	for i, kind := range []string{"interval", "mean", "box"} {
		if n := browser.Eval[int](p, `document.querySelectorAll("figure[data-kind=runs] .`+kind+`").length`); n != len(res.Series) {
			t.Errorf("%d of %s, the %dth, for %d commands", n, kind, i, len(res.Series))
		}
	}
	// The mean is drawn where it is on the axis.
	mean := bench.Summarize(&res.Series[0], bench.Energy).Mean
	title := browser.Eval[string](p, `document.querySelector("figure[data-kind=runs] .mean title").textContent`)
	var shown float64
	if _, err := fmt.Sscanf(title, "mean %g J", &shown); err != nil || math.Abs(shown-mean) > 0.01 || mean < 490 {
		t.Errorf("the title of the mean is %q, want that of %g J", title, mean)
	}
	if n := browser.Eval[int](p, `document.querySelectorAll("figure[data-kind=ratios] .interval").length`); n != len(res.Series)-1 {
		t.Errorf("%d ratios are drawn", n)
	}
	if n := browser.Eval[int](p, `(document.querySelector("figure[data-kind=drift] g.c0 path.dot:last-of-type").getAttribute("d").match(/M/g) || []).length`); n != 30 {
		t.Errorf("%d runs of the first command over time", n)
	}
	silent(t, p, "file://"+file)
}

// TestNarrowed: where a picture that is drawn anew makes its own place narrower, as it does
// by the scroll bar of a page that has become higher, it is drawn once more, and nothing is
// said of it on the console.
func TestNarrowed(t *testing.T) {
	_, file := made(t, time.Minute)
	p := browser.NewPage(t)
	p.Size(1200, 900)
	p.Open("file://" + file)
	p.Wait(drawn)
	const place = `document.querySelector("figure[data-kind=runs] .plot")`
	p.Wait(place + `.querySelector("svg")`)
	browser.Eval[bool](p, `(() => {
		const place = `+place+`;
		window.heard = [];
		addEventListener("error", (e) => heard.push(e.message)); // browsers differ in what is on the console
		new MutationObserver((_, observer) => {
			observer.disconnect();
			place.style.width = place.clientWidth - 15 + "px";
		}).observe(place, { childList: true, subtree: true });
		return true;
	})()`)
	p.Size(1000, 900)
	p.Wait(place + `.style.width && ` + place + `.querySelector("svg").viewBox.baseVal.width === ` + place + `.clientWidth`)
	// What is said of a frame comes after it.
	browser.Eval[bool](p, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
	if heard := browser.Eval[[]string](p, `heard`); len(heard) > 0 {
		t.Errorf("errors: %q", heard)
	}
	silent(t, p, "file://"+file)
}
