package page_test

import (
	"encoding/csv"
	"math"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"powerspy2/internal/integration/browser"
)

const (
	hostile  = `lab <b onclick="harmed=1">1</b>`
	plot     = `document.querySelector("figure .plot")`
	watts    = `Number(document.getElementById("watts").textContent)`
	measures = watts + ` > 0`
	drawn    = plot + `.querySelector(".line") && document.querySelector("[data-shown=mean]").textContent !== "–"`
	events   = `document.getElementById("events").textContent`
	state    = `document.getElementById("state").dataset.state`
)

// open opens the page of a server, with a size of a desk's screen.
func open(t *testing.T, address string) *browser.Page {
	t.Helper()
	p := browser.NewPage(t)
	p.Size(1200, 900)
	p.Open(address)
	return p
}

// view returns the times that are shown, in seconds.
func view(p *browser.Page) (from, to float64) {
	v := browser.Eval[[]float64](p, `[Number(`+plot+`.dataset.from), Number(`+plot+`.dataset.to)]`)
	return v[0], v[1]
}

// quiet says that the console has only what is allowed, and that nothing was asked
// for elsewhere.
func quiet(t *testing.T, p *browser.Page, b *bench, allowed ...string) {
	t.Helper()
said:
	for _, said := range p.Said() {
		for _, a := range allowed {
			if strings.Contains(said, a) {
				continue said
			}
		}
		t.Errorf("on the console: %s", said)
	}
	for _, r := range p.Requests() {
		if u, err := url.Parse(r); err != nil || u.Host != b.address && u.Scheme != "blob" {
			t.Errorf("it asked for %s", r)
		}
	}
	if browser.Eval[bool](p, `"harmed" in window`) {
		t.Error("a name was taken for code")
	}
}

// download returns the rows that the page saves.
func download(t *testing.T, p *browser.Page) [][]string {
	t.Helper()
	text := browser.Eval[string](p, `new Promise((done) => {
		const made = URL.createObjectURL;
		URL.createObjectURL = (blob) => { URL.createObjectURL = made; blob.text().then(done); return "data:,"; };
		const click = HTMLAnchorElement.prototype.click;
		HTMLAnchorElement.prototype.click = function () { HTMLAnchorElement.prototype.click = click; };
		document.querySelector("[data-do=csv]").click();
	})`)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// column returns a column of numbers.
func column(t *testing.T, rows [][]string, name string) []float64 {
	t.Helper()
	for c, title := range rows[0] {
		if title != name {
			continue
		}
		values := make([]float64, len(rows)-1)
		for i := range values {
			var err error
			if values[i], err = strconv.ParseFloat(rows[i+1][c], 64); err != nil {
				t.Fatal(err)
			}
		}
		return values
	}
	t.Fatalf("no %s in %q", name, rows[0])
	return nil
}

// TestLive: readings appear soon, the hour that the server remembers can be looked
// at down to a window, a gap shows, what is shown can be saved, and there are other
// meters.
func TestLive(t *testing.T) {
	b := start(t, "127.0.0.1:0", past, nil, hostile, "lamp/2")
	began := time.Now()
	p := open(t, b.url())
	p.Wait(measures)
	took := time.Since(began)
	t.Logf("the first reading is shown after %v", took.Round(time.Millisecond))
	if took > time.Minute {
		t.Errorf("the first reading is shown after %v", took)
	}
	if w := browser.Eval[float64](p, watts); w < 59.9 || w > 64.1 {
		t.Errorf("%.2f W are shown", w)
	}
	if name := browser.Eval[string](p, `document.getElementById("meter").textContent`); name != hostile {
		t.Errorf("the meter is called %q", name)
	}
	shown := func(figure string) string {
		return browser.Eval[string](p, `document.querySelector("[data-figure=`+figure+`]").textContent`)
	}
	for figure, want := range map[string]string{"volts": "230.00 V", "hertz": "50.000 Hz"} {
		if got := shown(figure); got != want {
			t.Errorf("%s: %q, want %q", figure, got, want)
		}
	}
	// It is a little less in a second in which the power changes.
	if f, err := strconv.ParseFloat(shown("factor"), 64); err != nil || f < 0.995 || f > 1 {
		t.Errorf("factor: %v, %v", f, err)
	}

	// Ten minutes at first, then the hour, with the peak of a window.
	p.Wait(drawn)
	if from, to := view(p); math.Abs(to-from-600) > 1 {
		t.Errorf("%.1f s are shown at first", to-from)
	}
	browser.Eval[bool](p, plot+`.focus() || true`)
	p.Keys("0")
	from, to := view(p)
	if to-from < 3590 {
		t.Errorf("%.1f s can be shown", to-from)
	}
	p.Wait(`document.querySelector("[data-shown=high]").textContent === "300.00 W"`)
	p.Keys("h")
	if text := browser.Eval[string](p, `document.querySelector(".readout").textContent`); !strings.Contains(text, "300.00 W") {
		t.Errorf("the highest power reads %q", text)
	}
	// Zoomed in on it, the windows are asked for.
	at := float64(b.began.Add(-peakAt).UnixMicro()) / 1e6
	browser.Eval[bool](p, `(() => { const e = `+plot+`; e.scrollIntoView({ block: "center" }); const r = e.getBoundingClientRect();
		const left = 52, right = 10; // the borders of the picture
		for (let k = 0; k < 9; k++) {
			const from = Number(e.dataset.from), to = Number(e.dataset.to);
			const x = r.left + left + (`+strconv.FormatFloat(at, 'f', 6, 64)+` - from) / (to - from) * (r.width - left - right);
			e.dispatchEvent(new WheelEvent("wheel", { ctrlKey: true, deltaY: -140, clientX: x, clientY: r.top + 100, cancelable: true }));
		}
		return true; })()`)
	from, to = view(p)
	if from > at || to < at || to-from > 10 {
		t.Fatalf("zoomed in to %.3f s, from %.3f s before the peak on", to-from, at-from)
	}
	var rows [][]string
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		rows = download(t, p)
		if len(rows) > int((to-from)*9) { // windows
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d rows of %.3f s", len(rows), to-from)
		}
	}
	peaks := 0
	for _, v := range column(t, rows, "power_W") {
		if v == peak {
			peaks++
		}
	}
	if peaks != 1 {
		t.Errorf("the peak of one window is in %d rows", peaks)
	}
	asked := func() (n int) {
		for _, r := range p.Requests() {
			if strings.Contains(r, "/events?from=") {
				n++
			}
		}
		return n
	}
	if n := asked(); n > 2 {
		t.Errorf("windows were asked for %d times", n)
	}
	if pressed := browser.Eval[string](p, `document.querySelector("[data-do=live]").getAttribute("aria-pressed")`); pressed != "false" {
		t.Errorf("the view of long ago is live: %s", pressed)
	}
	browser.Eval[bool](p, `document.querySelector("[data-do=live]").click() || true`)
	before, _ := view(p)
	p.Wait(`Number(` + plot + `.dataset.from) > ` + strconv.FormatFloat(before+0.1, 'f', 6, 64))

	// A gap.
	b.gaps[hostile] <- time.Second
	p.Wait(events + `.includes("the link <b>was</b> lost")`)
	p.Wait(plot + `.querySelector(".gap")`)
	p.Wait(measures + ` && ` + state + ` === "up"`)

	// Energy since a click, and its cost.
	browser.Eval[bool](p, `document.getElementById("reset").click() || true`)
	browser.Eval[bool](p, `(() => { const e = document.getElementById("price"); e.value = "3200,5"; e.dispatchEvent(new Event("input")); return true; })()`)
	p.Wait(`/^[0-9.]+ J$/.test(document.getElementById("joules").textContent) && parseFloat(document.getElementById("joules").textContent) > 20`)
	if mean := browser.Eval[string](p, `document.getElementById("mean").textContent`); !strings.HasPrefix(mean, "6") {
		t.Errorf("the mean power is %s", mean)
	}
	// Both at once, however long ago the click is.
	both := browser.Eval[[]float64](p, `["joules", "cost"].map(id => parseFloat(document.getElementById(id).textContent))`)
	if want := both[0] / 3.6e6 * 3200.5; math.Abs(both[1]-want) > 0.01*want {
		t.Errorf("%g J cost %g, want %g", both[0], both[1], want)
	}

	// The other meter.
	browser.Eval[bool](p, `document.querySelectorAll("nav a")[1].click() || true`)
	p.Wait(measures + ` && document.getElementById("meter").textContent === "lamp/2"`)
	if w := browser.Eval[float64](p, watts); w < 159 || w > 165 {
		t.Errorf("%.2f W of the other meter are shown", w)
	}
	if hash := browser.Eval[string](p, `location.hash`); hash != "#lamp%2F2" {
		t.Errorf("the address of the other meter ends with %q", hash)
	}
	quiet(t, p, b)
}

// TestMarks: with a login a mark is set and appears, with who set it; without one the
// page says why not.
func TestMarks(t *testing.T) {
	b := start(t, "127.0.0.1:0", time.Minute, withLogin(t), "lamp")
	login := url.URL{Scheme: "http", User: url.UserPassword("alice", password), Host: b.address, Path: "/"}
	p := open(t, login.String())
	p.Wait(measures)
	set := func(p *browser.Page, name string) {
		browser.Eval[bool](p, `document.getElementById("mark").focus() || true`)
		p.Keys(name + kb.Enter)
	}
	set(p, hostile)
	p.Wait(events + `.includes("alice")`)
	row := browser.Eval[[]string](p, `[...document.querySelector("#events tr").children].map((c) => c.textContent)`)
	if len(row) != 4 || row[1] != hostile || row[2] != "goes on" || row[3] != "alice" {
		t.Errorf("the mark is listed as %q", row)
	}
	p.Wait(plot + `.querySelector(".mark") && ` + plot + `.querySelector(".band0")`)
	browser.Eval[bool](p, `document.getElementById("end").click() || true`)
	p.Wait(events + `.includes("end of phase") && !` + events + `.includes("goes on")`)
	quiet(t, p, b)

	b = start(t, "127.0.0.1:0", time.Minute, nil, "lamp")
	p = open(t, b.url())
	p.Wait(measures)
	set(p, "load")
	p.Wait(`document.getElementById("said").textContent.includes("Unix socket or with a login")`)
	quiet(t, p, b, "403")
}

// TestRestart: the page goes on when the server was away, without readings that come
// twice, and with a gap.
func TestRestart(t *testing.T) {
	b := start(t, "127.0.0.1:0", 30*time.Second, nil, "lamp")
	p := open(t, b.url())
	p.Wait(drawn)
	b.stop()
	p.Wait(state + ` === "lost"`)
	p.Wait(plot + `.querySelector(".gap")`) // which grows
	b = start(t, b.address, 0, nil, "lamp")
	p.Wait(measures + ` && ` + state + ` === "up"`)
	p.Wait(events + `.includes("remembers nothing")`)
	browser.Eval[bool](p, plot+`.focus() || true`)
	p.Keys("0")
	rows := download(t, p)
	starts, ends := column(t, rows, "start_s"), column(t, rows, "end_s")
	gaps := 0
	for i := 1; i < len(starts); i++ {
		if starts[i] < ends[i-1]-2e-6 {
			t.Fatalf("row %d begins %.6f s before the end of the one before", i, ends[i-1]-starts[i])
		}
		if starts[i] > ends[i-1]+0.1 {
			gaps++
		}
	}
	if gaps != 1 || ends[0] > float64(b.began.Unix()) || ends[len(ends)-1] < float64(b.began.UnixMilli())/1e3 {
		t.Errorf("%d gaps in readings from %.3f to %.3f s", gaps, starts[0], ends[len(ends)-1])
	}
	quiet(t, p, b, "net::ERR_")
}

// TestSleep: after this machine slept the stream is opened again, from where it was.
func TestSleep(t *testing.T) {
	b := start(t, "127.0.0.1:0", 30*time.Second, nil, "lamp")
	p := open(t, b.url())
	p.Wait(drawn)
	streams := func() (n int) {
		for _, r := range p.Requests() {
			if strings.Contains(r, "interval=200ms") {
				n++
			}
		}
		return n
	}
	before := streams()
	browser.Eval[bool](p, `(() => { const slow = Date.now; Date.now = () => slow() + 20e3; return true; })()`)
	for end := time.Now().Add(time.Minute); streams() == before; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the stream was not opened again")
		}
	}
	p.Wait(measures + ` && ` + state + ` === "up"`)
	if gaps := browser.Eval[string](p, events); gaps != "" {
		t.Errorf("marks and gaps: %q", gaps)
	}
	quiet(t, p, b)
}

// TestDays: a page that stays open for days remembers an hour in bounded memory, the
// last ten minutes as they came, and counts each piece of time once.
func TestDays(t *testing.T) {
	b := start(t, "127.0.0.1:0", 0, nil, "lamp")
	p := open(t, b.url())
	got := browser.Eval[map[string]float64](p, `(() => {
		const s = new Series(true), c = new Counter(0), all = 2 * 86400, most = { n: 0 };
		let energy = 0;
		for (let i = 0; i < all * 5; i++) {
			const start = i / 5, end = (i + 1) / 5, mean = 60 + i % 7;
			const high = i === all * 5 - 9000 ? 300 : mean + 1;
			s.push({ start, end, mean, low: mean - 1, high, volts: 230, amps: mean / 230, apparent: mean, hertz: 50, energy: mean / 5 });
			c.add(start, end, mean / 5);
			if (i % 3) c.add(start - 1, end, mean / 5 * 6); // it comes again
			energy += mean / 5;
			most.n = Math.max(most.n, s.n);
		}
		const hour = s.sum(all - 3500, all), fine = s.after(all - 599);
		return { n: most.n, first: all - s.start[0], energy: hour.energy, covered: hour.covered, high: hour.high, fine: s.end[fine] - s.start[fine], counted: c.energy / energy, seconds: c.covered };
	})()`)
	if got["n"] > 12000 || got["first"] < 3500 || got["first"] > 2*3600 {
		t.Errorf("%.0f points at most, the first of %.0f s ago", got["n"], got["first"])
	}
	if math.Abs(got["energy"]-63*3500) > 5 || math.Abs(got["covered"]-3500) > 1e-6 || got["high"] != 300 {
		t.Errorf("in 3500 s %.3f J, measured for %.6f s, %.2f W at most", got["energy"], got["covered"], got["high"])
	}
	if math.Abs(got["fine"]-0.2) > 1e-6 {
		t.Errorf("a reading of some minutes ago is %.3f s long", got["fine"])
	}
	if math.Abs(got["counted"]-1) > 1e-9 || math.Abs(got["seconds"]-2*86400) > 1e-3 {
		t.Errorf("%.6f of the energy was counted, over %.3f s", got["counted"], got["seconds"])
	}
}

// TestAccessible: axe-core has nothing to say, in light and in dark, and on a phone
// nothing is wider than the window.
func TestAccessible(t *testing.T) {
	b := start(t, "127.0.0.1:0", 15*time.Minute, nil, hostile, "lamp")
	p := open(t, b.url())
	b.gaps[hostile] <- 500 * time.Millisecond
	p.Wait(measures + ` && ` + events + `.includes("lost")`)
	browser.Eval[bool](p, `(document.getElementById("minutes").open = true)`)
	p.Wait(`document.querySelectorAll("#minutes tbody tr").length > 10`)
	p.Accessible()
	if live := browser.Eval[string](p, `document.getElementById("spoken").getAttribute("role")`); live != "status" {
		t.Errorf("what is spoken has the role %q", live)
	}
	quiet(t, p, b)
}
