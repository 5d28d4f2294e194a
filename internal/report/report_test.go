package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"html"
	"image/png"
	"math"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html/atom"

	xhtml "golang.org/x/net/html"

	"github.com/google/go-cmp/cmp"

	"powerspy2/internal/baseline"
	"powerspy2/internal/bench"
	"powerspy2/internal/picture"
	"powerspy2/internal/report"
	"powerspy2/internal/report/reporttest"
	"powerspy2/record"
)

const length = 100 * time.Second

// recorded writes a recording of 100 s and returns its path.
func recorded(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "power.jsonl.zst")
	if err := reporttest.Write(path, length); err != nil {
		t.Fatal(err)
	}
	return path
}

// page returns the page of what was read so, and its data.
func page(t *testing.T, r *report.Report) (text string, data map[string]any) {
	t.Helper()
	r.Made, r.Zone, r.Tool = reporttest.Start.Add(48*time.Hour), time.UTC, "v1.0.0"
	var b bytes.Buffer
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	text = b.String()
	_, rest, _ := strings.Cut(text, `<script type="application/json" id="powerspy-data">`)
	embedded, _, ok := strings.Cut(rest, "</script>")
	if !ok {
		t.Fatal("there are no data")
	}
	if err := json.Unmarshal([]byte(embedded), &data); err != nil {
		t.Fatal(err)
	}
	return text, data
}

func read(t *testing.T, path string, how report.Reading) *report.Recording {
	t.Helper()
	how.Name = filepath.Base(path)
	r, err := reporttest.Read(t.Context(), path, how)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func first(data map[string]any) map[string]any {
	return data["recordings"].([]any)[0].(map[string]any)
}

// series decodes the embedded points as docs/report.md says.
func series(t *testing.T, recording map[string]any) (start, end, mean, low, high []float64) {
	t.Helper()
	s := recording["series"].(map[string]any)
	words := func(key string) []uint32 {
		b, err := base64.StdEncoding.DecodeString(s[key].(string))
		if err != nil || len(b) != 4*int(s["points"].(float64)) {
			t.Fatalf("%s: %d bytes, %v", key, len(b), err)
		}
		list := make([]uint32, len(b)/4)
		for i := range list {
			list[i] = binary.LittleEndian.Uint32(b[4*i:])
		}
		return list
	}
	floats := func(key string) (list []float64) {
		for _, w := range words(key) {
			list = append(list, float64(math.Float32frombits(w)))
		}
		return list
	}
	breaks := map[int]float64{}
	for _, b := range s["breaks"].([]any) {
		breaks[int(b.([]any)[0].(float64))] = b.([]any)[1].(float64)
	}
	at := 0.
	for i, l := range words("length_us") {
		if b, ok := breaks[i]; ok {
			at = b
		}
		start = append(start, at/1e6)
		at += float64(l)
		end = append(end, at/1e6)
	}
	mean = floats("mean_W")
	low, high = mean, mean
	if s["merged"].(bool) {
		low, high = floats("low_W"), floats("high_W")
	}
	return start, end, mean, low, high
}

// TestData: the data have each window, the gap and the peak where they were, and the
// energy of all of them.
func TestData(t *testing.T) {
	_, data := page(t, &report.Report{Recordings: []*report.Recording{read(t, recorded(t), report.Reading{})}})
	rec := first(data)
	start, end, mean, _, _ := series(t, rec)
	if len(mean) != 5000 {
		t.Fatalf("%d points", len(mean))
	}
	energy, peak := 0., 0
	for i := range mean {
		energy += mean[i] * (end[i] - start[i])
		if mean[i] > mean[peak] {
			peak = i
		}
	}
	if got := rec["energy_J"].(float64); math.Abs(got-energy) > 1e-3 || math.Abs(got-6004.8) > 5 {
		t.Errorf("%g J, want %g as of the points", got, energy)
	}
	if at := reporttest.PeakTime(length).Sub(reporttest.Start).Seconds(); math.Abs(start[peak]-at) > 1e-6 || mean[peak] != 300 {
		t.Errorf("%g W at %g s, want it at %g", mean[peak], start[peak], at)
	}
	gap := rec["gaps"].([]any)[0].(map[string]any)
	if d := gap["end_s"].(float64) - gap["start_s"].(float64); math.Abs(d-30) > 1e-5 || gap["reason"] != "the link <was> lost" {
		t.Errorf("unexpected gap %v", gap)
	}
	if c := rec["coverage"].(float64); math.Abs(c-100./130) > 1e-6 {
		t.Errorf("coverage %g", c)
	}
	if n := rec["windows"].(float64) + rec["bridged"].(float64); n != 5000 || rec["bridged"] != 5. {
		t.Errorf("%g windows, of them bridged %v", n, rec["bridged"])
	}
	phases := rec["phases"].([]any)
	if len(phases) != 8 {
		t.Errorf("%d phases", len(phases))
	}
	if job := rec["jobs"].([]any)[0].(map[string]any); math.Abs(job["duration_s"].(float64)-80) > 1e-6 {
		t.Errorf("unexpected job %v", job)
	}
}

// TestMerged: where there are more windows than points, each keeps its lowest and
// highest power, the gap stays one, and the energy is that of all windows.
func TestMerged(t *testing.T) {
	path := recorded(t)
	_, whole := page(t, &report.Report{Recordings: []*report.Recording{read(t, path, report.Reading{})}})
	text, data := page(t, &report.Report{Recordings: []*report.Recording{read(t, path, report.Reading{Points: 400})}})
	rec := first(data)
	for _, key := range []string{"energy_J", "energy_uncertainty_J", "coverage", "power_max_W", "power_min_W"} {
		if rec[key] != first(whole)[key] {
			t.Errorf("%s: %v, want %v", key, rec[key], first(whole)[key])
		}
	}
	start, end, mean, low, high := series(t, rec)
	if len(mean) > 400 || len(mean) < 150 {
		t.Errorf("%d points", len(mean))
	}
	peak := reporttest.PeakTime(length).Sub(reporttest.Start).Seconds() + 0.01
	found := false
	for i := range mean {
		if !(low[i] <= mean[i] && mean[i] <= high[i]) {
			t.Errorf("point %d: %g to %g, mean %g", i, low[i], high[i], mean[i])
		}
		if start[i] <= peak && peak < end[i] {
			found = high[i] == 300 && mean[i] < 100
		}
		if start[i] < 71 && end[i] > 70.1 {
			t.Errorf("a point covers the gap: %g to %g s", start[i], end[i])
		}
	}
	if !found {
		t.Error("the peak is lost")
	}
	if !strings.Contains(text, "Of this long recording") {
		t.Error("the page does not say that windows were merged")
	}
}

// TestPart: of ranges only what is in them is shown, with the energies that the whole
// recording has there.
func TestPart(t *testing.T) {
	at := func(s float64) time.Time { return reporttest.Start.Add(time.Duration(s * 1e9)) }
	path := recorded(t)
	ranges := []record.Range{{From: at(10.007), To: at(20.013)}, {From: at(60.5), To: at(80)}}
	text, data := page(t, &report.Report{Recordings: []*report.Recording{read(t, path, report.Reading{Ranges: ranges, Baseline: new(baseline.Fixed(50))})}})
	rec := first(data)
	want := 10.006 + 19.5
	if d := rec["duration_s"].(float64); math.Abs(d-want) > 1e-6 {
		t.Errorf("%g s, want %g", d, want)
	}
	covered := want - 10 // the gap goes on after 80 s
	if e := rec["energy_J"].(float64); math.Abs(e-60*covered) > 30 {
		t.Errorf("%g J, want about %g", e, 60*covered)
	}
	if net := rec["net_energy_J"].(float64); math.Abs(net-(rec["energy_J"].(float64)-50*covered)) > 1e-3 {
		t.Errorf("%g J net", net)
	}
	start, end, _, _, _ := series(t, rec)
	if n := len(start); math.Abs(float64(n)*0.02-covered) > 0.05 {
		t.Errorf("%d points", n)
	}
	if first, last := start[0], end[len(end)-1]; first != 0 || last < 59.9-0.1 || last > 60.1 {
		t.Errorf("points from %g to %g s", first, last)
	}
	if !strings.Contains(text, "This is a part of the recording.") {
		t.Error("the page does not say that it is a part")
	}
	_, err := reporttest.Read(t.Context(), path, report.Reading{Ranges: []record.Range{{From: at(75), To: at(80)}}})
	if !errors.Is(err, report.ErrNothing) {
		t.Errorf("of a gap: %v", err)
	}
}

// TestNames: names from outside are text wherever they stand, and what is invisible
// in them is visible; the page has no address and no part of elsewhere.
func TestNames(t *testing.T) {
	r := &report.Report{
		Title: reporttest.Hostile + reporttest.Invisible, Recordings: []*report.Recording{read(t, recorded(t), report.Reading{})},
		Benches: []report.Bench{{Name: reporttest.Hostile, Result: reporttest.Bench(5)}},
	}
	text, _ := page(t, r)
	for i, c := range text {
		if c != '\n' && c != '\t' && !unicode.IsGraphic(c) {
			t.Fatalf("%U in %q", c, text[max(0, i-40):i])
		}
	}
	scripts, elements := 0, map[string]int{}
	z := xhtml.NewTokenizer(strings.NewReader(text))
	for z.Next() != xhtml.ErrorToken {
		token := z.Token()
		if token.Type != xhtml.StartTagToken && token.Type != xhtml.SelfClosingTagToken {
			continue
		}
		elements[token.Data]++
		if token.DataAtom == atom.Script {
			scripts++
		}
		for _, a := range token.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" || a.Key == "href" && !strings.HasPrefix(a.Val, "#") && a.Val != "data:," {
				t.Errorf("<%s %s=%q>", token.Data, a.Key, a.Val)
			}
		}
	}
	if scripts != 2 || elements["img"] > 0 || elements["link"] != 1 {
		t.Errorf("unexpected elements %v", elements)
	}
	if !strings.Contains(text, html.EscapeString(`</script><script>window.harmed=1`)) || !strings.Contains(text, `red\u2028line\u202ereversed\nnext\x00`) {
		t.Error("the names are not shown")
	}
}

// TestPolicy: the page's policy has the hashes of its own script and style.
func TestPolicy(t *testing.T) {
	text, _ := page(t, &report.Report{Recordings: []*report.Recording{read(t, recorded(t), report.Reading{})}})
	policy := html.UnescapeString(regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(text)[1])
	if !strings.HasPrefix(policy, "default-src 'none'; ") {
		t.Errorf("policy %s", policy)
	}
	for name, pattern := range map[string]string{"script-src": `(?s)<script>(.*?)</script>`, "style-src": `(?s)<style>(.*?)</style>`} {
		sum := sha256.Sum256([]byte(regexp.MustCompile(pattern).FindStringSubmatch(text)[1]))
		if want := name + " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "';"; !strings.Contains(policy, want) {
			t.Errorf("%s: not in %s", want, policy)
		}
	}
}

// TestMethod: the paragraph has what a paper needs.
func TestMethod(t *testing.T) {
	b := baseline.Fixed(12.3)
	text, _ := page(t, &report.Report{Recordings: []*report.Recording{read(t, recorded(t), report.Reading{Baseline: &b, Accuracy: 0.01})}})
	text = html.UnescapeString(text)
	for _, want := range []string{
		"PowerSpy2", "serial number 4567", "hardware version 3, firmware version 4", "calibrated 2024-05-17", "over Bluetooth",
		"2026-03-04 13:59:30 to 14:01:40 +00:00", "1 mains period (20.0 ms at a mean mains frequency of 50.000 Hz)", "4995 windows were measured",
		"5 that the meter left out (0.1 %) were bridged", "76.92 % of the time", "1 gap took is not made up", "12.0 ms after the end", "baseline of 12.300 W",
		"coverage factor of 2", "accuracy of 1 % of the reading", "Recorded by powerspy v1.0.0 on lab", "evaluated by powerspy v1.0.0 on 2026-03-06",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// TestPicture: what is drawn without a browser has the peak, the gap and the runs.
func TestPicture(t *testing.T) {
	r := &report.Report{
		Zone: time.UTC, Recordings: []*report.Recording{read(t, recorded(t), report.Reading{Baseline: new(baseline.Fixed(50))})},
		Benches: []report.Bench{{Name: "bench.json", Result: reporttest.Bench(10)}},
	}
	var b bytes.Buffer
	if err := r.Picture(&b, picture.PNG); err != nil {
		t.Fatal(err)
	}
	drawn, err := png.Decode(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	colors := map[[3]uint32]int{}
	for y := range drawn.Bounds().Dy() {
		for x := range drawn.Bounds().Dx() {
			r, g, b, _ := drawn.At(x, y).RGBA()
			colors[[3]uint32{r >> 8, g >> 8, b >> 8}]++
		}
	}
	for what, c := range map[string][3]uint32{"the mean": {0x08, 0x34, 0x6B}, "the gap": {0xC9, 0xCE, 0xD4}, "the baseline": {0x8A, 0x3D, 0x00}, "a phase": {0xE6, 0xEF, 0xFA}, "a run": {0x0B, 0x5F, 0xB0}} {
		if colors[c] < 50 {
			t.Errorf("%s has %d pixels", what, colors[c])
		}
	}
	b.Reset()
	if err := r.Picture(&b, picture.SVG); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">compile<", ">power.jsonl.zst<", "power / W", "14:00:30", "gzip -9"} {
		if !strings.Contains(strings.ReplaceAll(b.String(), "> ", ">"), want) {
			t.Errorf("%q is not in the picture", want)
		}
	}
	if err := (&report.Report{Zone: time.UTC}).Picture(&b, picture.SVG); !errors.Is(err, report.ErrNoPicture) {
		t.Errorf("of nothing: %v", err)
	}
}

// TestJob: the result of run is a table, and others are refused.
func TestJob(t *testing.T) {
	const good = `{"version":1,"command":["make","-j4"],"exit_code":0,"start_s":1772632770.5,"end_s":1772632780.5,"duration_s":10,"energy_J":600.5,
"energy_uncertainty_J":1.5,"energy_uncertainty_parts_J":{"edges":0.5},"coverage":1,"windows":500,"bridged":0,"power_mean_W":60.05,"power_min_W":50,"power_max_W":70,
"phase_totals":[{"name":"</td><b>","times":2,"duration_s":3,"energy_J":200,"energy_uncertainty_J":1,"power_mean_W":66}],
"warnings":["<careful>"],"meter":{"name":"PowerSpy","serial":4567,"hardware":3,"firmware":4,"calibration":"2024-05-17"},"tool":{"version":"v1"}}`
	job, err := report.ReadJob(strings.NewReader(good), "run.json")
	if err != nil {
		t.Fatal(err)
	}
	text, data := page(t, &report.Report{Jobs: []*report.Job{job}})
	for _, want := range []string{"make -j4", "600.5 J ± 1.5 J", "&lt;careful&gt;", "&lt;/td&gt;&lt;b&gt;", "serial number 4567"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if j := data["jobs"].([]any)[0].(map[string]any)["result"].(map[string]any); j["energy_J"] != 600.5 {
		t.Errorf("unexpected data %v", j)
	}
	for _, bad := range []string{
		"", "[]", "null", "{}", `{"version":2,"start_s":1,"end_s":2,"duration_s":1}`, `{"version":1,"start_s":"x"}`, `{"version":1,"start_s":1e300,"end_s":2,"duration_s":1}`,
		`{"version":1,"start_s":1,"end_s":2,"duration_s":1,"energy_J":1}`, good + "x", strings.Repeat("x", 100),
	} {
		if _, err := report.ReadJob(strings.NewReader(bad), "x"); !errors.Is(err, report.ErrNoJob) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestBench: a result that was written and read again gives the page that it would
// have given before, and stands in the data as it was written.
func TestBench(t *testing.T) {
	made := reporttest.Bench(10)
	var file bytes.Buffer
	if err := made.Write(&file); err != nil {
		t.Fatal(err)
	}
	again, err := bench.Read(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	text, data := page(t, &report.Report{Benches: []report.Bench{{Result: made}}})
	other, _ := page(t, &report.Report{Benches: []report.Bench{{Result: &again}}})
	const script = `<script type="application/json"`
	before, _, _ := strings.Cut(text, script)
	after, _, _ := strings.Cut(other, script)
	if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(after, "\n")); diff != "" {
		t.Errorf("the page of what was read again (-want +got):\n%s", diff)
	}
	b := data["benches"].([]any)[0].(map[string]any)
	var want any
	if err := json.Unmarshal(file.Bytes(), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b["result"]); diff != "" {
		t.Errorf("the data (-want +got):\n%s", diff)
	}
	drawn := b["commands"].([]any)[0].(map[string]any)
	if n := len(drawn["energy_J"].([]any)); n != 10 || math.Abs(drawn["mean_J"].(float64)-507) > 10 {
		t.Errorf("unexpected figures %v", drawn)
	}
	for _, want := range []string{"in interleaved order", "30 times", "no difference found", "systematic part", "serial number 4567", "Net energies are above a baseline of 40.00 W"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
}
