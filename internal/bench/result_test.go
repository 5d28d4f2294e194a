package bench_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"powerspy2/internal/bench"
	"powerspy2/internal/result"
	"powerspy2/measure"
)

// nasty are names of commands that mean something to what they are written into.
var nasty = []string{
	"sleep 0.1", `grep "a|b" 'x' \| wc`, "a\nb\r\nc", "\x1b[31mred\x1b]0;title\x07", "</script><script>alert(1)</script>", "=1+2", "-5", "@SUM(A1)", "+cmd|' /C calc'!A0",
	"`rm -rf`", "``a`|`b``", "\u202eevil\u200b", "\u009b2J", "{attribute} <<x>> link:http://x[y] image::z[]", "=a= ~b~ |c|", "", " a ", "  ", `\`, "||", "|===", "日本語", "\xff\xfe",
	"a--b...c", "#+BEGIN_SRC", "[[elisp:(x)][y]]", "&lt;b&gt; &#124;", "\ttab", "a,b;\"c\"", "\U000e0001tag",
}

// random returns a result of all kinds of runs.
func random(rnd *rand.Rand) bench.Result {
	name := func() string { return strings.ToValidUTF8(nasty[rnd.IntN(len(nasty))], "?") }
	r := bench.Result{
		Reference: -1, Order: bench.Order(rnd.IntN(3)), Seed: rnd.Uint64(), Interrupted: rnd.IntN(2) == 0, Tool: name(), Host: name(),
		Meter: result.Meter{Name: name(), Serial: uint16(rnd.Uint32()), Hardware: 1, Firmware: 2, Calibration: "2025-11-03", Simulated: rnd.IntN(2) == 0},
	}
	if rnd.IntN(2) == 0 {
		r.Precision, r.MinTime, r.Accuracy = rnd.Float64(), time.Duration(rnd.Int64N(1e10)), rnd.Float64()
		r.Delay, r.DelayKnown = 7*time.Millisecond, true
		r.Meter.Address = new("00:0B:CE:07:1D:32")
		r.Warnings = []string{name(), name()}
		r.Baseline = &bench.Baseline{Power: 50 * rnd.Float64(), Uncertainty: rnd.Float64()}
	}
	for range 1 + rnd.IntN(4) {
		s := bench.Series{Command: bench.Command{Name: name()}, Repeated: rnd.IntN(3)}
		if rnd.IntN(2) == 0 {
			s.Parameters = map[string]string{"n": name(), name(): "2"}
		}
		round := 0
		for range 1 + rnd.IntN(6) {
			x := bench.Run{
				Round: round, Start: begin.Add(time.Duration(rnd.Int64N(1e9)) * time.Microsecond), Executions: 1 + rnd.IntN(100),
				Duration: time.Duration(rnd.Int64N(1e12)), User: time.Duration(rnd.Int64N(1e10)), System: time.Duration(rnd.Int64N(1e10)),
				MaxRSS: rnd.Int64N(1 << 40), ExitCode: rnd.IntN(256), Coverage: 1, Windows: rnd.IntN(1000), Bridged: rnd.IntN(10),
				Uncertainty: measure.Uncertainty{Edges: rnd.Float64(), LeftOut: rnd.Float64(), Time: rnd.Float64(), Resolution: rnd.Float64(), Meter: rnd.Float64()},
				Net:         math.NaN(),
			}
			switch rnd.IntN(4) {
			case 0:
				x.Coverage = rnd.Float64()
			case 1:
				x.Coverage = 0
			}
			covered := x.Duration.Seconds() * x.Coverage
			x.Power = 100*rnd.Float64() - 10
			if covered == 0 {
				x.Power = math.NaN()
			}
			x.Energy = x.Power * covered
			if b := r.Baseline; b != nil {
				x.Net = x.Energy - b.Power*covered
				x.BaselineUncertainty = covered * b.Uncertainty
			}
			s.Runs = append(s.Runs, x)
			round += 1 + rnd.IntN(2)
		}
		r.Series = append(r.Series, s)
	}
	if rnd.IntN(2) == 0 {
		r.Reference = rnd.IntN(len(r.Series))
	}
	return r
}

var same = cmp.Options{cmpopts.EquateNaNs(), cmpopts.EquateApprox(1e-12, 0), cmpopts.EquateEmpty()}

// TestResult: what was written is read again, whatever names and numbers are, and
// shows nothing invisible.
func TestResult(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		r := random(rnd)
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			t.Fatal(err)
		}
		for _, c := range b.String() {
			if c != '\n' && !unicode.IsPrint(c) || c == '<' {
				t.Fatalf("%q is in the file", c)
			}
		}
		got, err := bench.Read(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if diff := cmp.Diff(r, got, same); diff != "" {
			t.Fatal(diff)
		}
	}
}

// TestHyperfine: what hyperfine's scripts read is there, of the types that it is there.
func TestHyperfine(t *testing.T) {
	r := bench.Result{Reference: -1, Series: []bench.Series{*series("a", 10, 12, 14), *series("b", 20), {Command: bench.Command{Name: "never run"}}}}
	r.Series[0].Parameters = map[string]string{"n": "1"}
	r.Series[0].Runs[1].MaxRSS = 1 << 20
	r.Series[1].Runs[0].ExitCode = bench.Killed + 9
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	var o struct {
		Results []struct {
			Command    string
			Mean       float64
			Stddev     *float64
			Median     float64
			User       float64
			System     float64
			Min        float64
			Max        float64
			Times      []float64
			Memory     []*uint64 `json:"memory_usage_byte"`
			Codes      []*int    `json:"exit_codes"`
			Parameters map[string]string
			Energy     struct {
				Mean        float64
				Stddev      *float64
				CI95        *[2]float64
				Values      []float64
				Uncertainty []float64
			} `json:"energy_J"`
			Net      *struct{} `json:"net_energy_J"`
			Power    *struct{} `json:"power_W"`
			Coverage []float64
			Starts   []float64 `json:"starts_s"`
		}
		Comparison []struct {
			Command, Reference string
			Ratio              float64     `json:"energy_ratio"`
			CI95               *[2]float64 `json:"ci95"`
			P                  *float64
			Verdict            *string
		}
		Order    string
		Baseline *float64 `json:"baseline_W"`
		Meter    map[string]any
		Tool     map[string]any
		Version  int
	}
	if err := json.Unmarshal(b.Bytes(), &o); err != nil {
		t.Fatal(err)
	}
	if len(o.Results) != 2 {
		t.Fatalf("there are %d results: a command without a run has none", len(o.Results))
	}
	a, c := o.Results[0], o.Results[1]
	if a.Command != "a" || a.Mean != 3 || a.Stddev == nil || *a.Stddev != 0 || a.Median != 3 || a.Min != 3 || a.Max != 3 || !slices.Equal(a.Times, []float64{3, 3, 3}) ||
		len(a.Codes) != 3 || *a.Codes[0] != 0 || a.Parameters["n"] != "1" {
		t.Errorf("hyperfine's keys: %+v", a)
	}
	if len(a.Memory) != 3 || a.Memory[0] != nil || a.Memory[1] == nil || *a.Memory[1] != 1<<20 {
		t.Errorf("memory that is known of one run: %v", a.Memory)
	}
	if c.Memory != nil || strings.Count(b.String(), `"memory_usage_byte"`) != 2 {
		t.Errorf("memory that is not known: %v", c.Memory)
	}
	if e := a.Energy; e.Mean != 12 || *e.Stddev != 2 || math.Abs(e.CI95[1]-12-2*4.302653/math.Sqrt(3)) > 1e-5 || !slices.Equal(e.Values, []float64{10, 12, 14}) || len(e.Uncertainty) != 3 {
		t.Errorf("energies: %+v", e)
	}
	if a.Net != nil || a.Power == nil || len(a.Coverage) != 3 || a.Starts[1] != float64(begin.Unix()+60) {
		t.Errorf("beside them: %+v", a)
	}
	if c.Stddev != nil || c.Energy.Stddev != nil || c.Energy.CI95 != nil || *c.Codes[0] != 137 || c.Parameters == nil || len(c.Parameters) > 0 {
		t.Errorf("of one run: %+v", c)
	}
	if len(o.Comparison) != 1 || o.Comparison[0].Command != "b" || o.Comparison[0].Reference != "a" || o.Comparison[0].CI95 != nil || o.Comparison[0].Verdict != nil || o.Comparison[0].P != nil {
		t.Errorf("comparison: %+v", o.Comparison)
	}
	if o.Version != 1 || o.Order != "interleaved" || o.Baseline != nil || o.Meter["serial"] == nil || o.Tool["version"] == nil {
		t.Errorf("%+v", o)
	}
	for _, key := range []string{"command", "mean", "stddev", "median", "user", "system", "min", "max", "times", "exit_codes"} {
		if !strings.Contains(b.String(), `"`+key+`": `) {
			t.Errorf("%s is missing", key)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	const run = `"command":"a","times":[1,2],"energy_J":{"values":[3,4]}`
	file := func(version, results, rest string) string {
		return fmt.Sprintf(`{"version":%s,"order":"interleaved","results":[%s]%s}`, version, results, rest)
	}
	for _, tt := range []struct {
		name, text string
		err        error
		says       string
	}{
		{"whole", file("1", "{"+run+"}", ""), nil, ""},
		{"with what is not known", file("1", "{"+run+`,"new":{"x":[1]}}`, `,"newer":[null]`), nil, ""},
		{"no commands", file("1", "", ""), nil, ""},
		{"empty", "", bench.ErrOther, "not the result"},
		{"no JSON", "date,power\n", bench.ErrOther, "not the result"},
		{"another object", `{"type":"powerspy-baseline","version":1}`, bench.ErrOther, "not the result"},
		{"cut off", file("1", "{"+run+"}", "")[:60], bench.ErrOther, "not the result"},
		{"of hyperfine", `{"results":[{"command":"a","mean":1,"times":[1]}]}`, bench.ErrOther, "hyperfine"},
		{"of version 2", file("2", `"anything"`, ""), bench.ErrVersion, "2, while this program reads 1"},
		{"of a long version", file("1"+strings.Repeat("0", 1000), "", ""), bench.ErrVersion, "version"},
		{"without energies", file("1", `{"command":"a","times":[1,2]}`, ""), bench.ErrOther, "command 1: it has no energies"},
		{"without times", file("1", `{"command":"a","energy_J":{"values":[1]}}`, ""), bench.ErrOther, "no times"},
		{"fewer energies", file("1", `{"command":"a","times":[1,2],"energy_J":{"values":[3]}}`, ""), bench.ErrOther, "1 values of energy_J for 2 runs"},
		{"more coverages", file("1", "{"+run+`,"coverage":[1,1,1]}`, ""), bench.ErrOther, "3 values of coverage for 2 runs"},
		{"coverage of 2", file("1", "{"+run+`,"coverage":[1,2]}`, ""), bench.ErrOther, "coverage of 2"},
		{"a negative time", file("1", `{"command":"a","times":[1,-2],"energy_J":{"values":[3,4]}}`, ""), bench.ErrOther, "-2 s"},
		{"a round twice", file("1", "{"+run+`,"rounds":[1,1]}`, ""), bench.ErrOther, "round 1"},
		{"a start out of all bounds", file("1", "{"+run+`,"starts_s":[1e300,1]}`, ""), bench.ErrOther, "UNIX time"},
		{"another order", `{"version":1,"order":"odd","results":[]}`, bench.ErrOther, `"odd"`},
		{"a reference that is none", file("1", "{"+run+"}", `,"reference":7`), bench.ErrOther, "reference"},
	} {
		_, err := bench.Read(strings.NewReader(tt.text))
		if !errors.Is(err, tt.err) || tt.err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	text := file("1", "{"+run+"}", "")
	if _, err := bench.ReadUpTo(strings.NewReader(text), int64(len(text))); err != nil {
		t.Errorf("just small enough: %v", err)
	}
	if _, err := bench.ReadUpTo(strings.NewReader(text+" "), int64(len(text))); !errors.Is(err, bench.ErrSize) {
		t.Errorf("too large: %v", err)
	}
}

// TestLargest: the largest result that there may be is not too large to be read.
func TestLargest(t *testing.T) {
	const runs = 1000
	l := newLab(1, 300)
	l.class, l.late, l.idle, l.idleOff = 0.01, 0.1, 30, 0.1
	l.length = []float64{math.Pi}
	o := l.carryOut(t, plan(1, runs, bench.Interleaved))
	r := bench.Result{Reference: -1, Series: o.Series, Baseline: &bench.Baseline{Power: 30, Uncertainty: 0.1}}
	for i := range r.Series[0].Runs {
		x := &r.Series[0].Runs[i]
		x.MaxRSS, x.User, x.System, x.Windows = 1<<40, x.Duration/3, x.Duration/7, 123456
		x.Uncertainty.Edges, x.Uncertainty.LeftOut = x.Energy/1e4, x.Energy/1e5
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	if size := b.Len() / runs; size*bench.MaxRuns > bench.MaxFile {
		t.Errorf("a run takes %d bytes", size)
	}
}

// FuzzRead: what can be read can be summed up, compared, exported and written, and is
// then the same.
func FuzzRead(f *testing.F) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 4 {
		r := random(rnd)
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte(`{"version":1,"order":"random","results":[{"command":"a","times":[0,1e300],"energy_J":{"values":[null,-1e300]},"coverage":[0,1e-300]}],"baseline_W":1e308}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := bench.Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		table := bench.Table{Result: &r}
		for _, export := range []func(io.Writer) error{table.CSV, table.Markdown, table.AsciiDoc, table.Org} {
			if err := export(io.Discard); err != nil {
				t.Fatal(err)
			}
		}
		for _, q := range []bench.Quantity{bench.Energy, bench.Net, bench.Time, bench.Power} {
			for _, c := range r.Comparisons(q) {
				_ = c.Sentence()
			}
			for i := range r.Series {
				s := bench.Summarize(&r.Series[i], q)
				_ = s.Remarks()
			}
		}
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			t.Fatal(err)
		}
		again, err := bench.Read(&b)
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Series) != len(r.Series) || again.Order != r.Order {
			t.Fatalf("%+v, then %+v", r, again)
		}
	})
}
