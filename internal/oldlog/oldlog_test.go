package oldlog

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// readAll returns the rows of a log and what else there was.
func readAll(t *testing.T, r io.Reader) ([]Row, Summary, error) {
	t.Helper()
	l, err := NewReader(r)
	if err != nil {
		return nil, Summary{}, err
	}
	var rows []Row
	for {
		row, err := l.Next()
		if err == io.EOF {
			return rows, l.Summary(), nil
		}
		if err != nil {
			return rows, l.Summary(), err
		}
		rows = append(rows, row)
	}
}

func zipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const (
	pythonLog = "# timestamp\tV\tA\tW\tV\tA\n" +
		"1409400000.123\t1589.901\t0.158\t81.980\t325.308\t0.145\n" +
		"1409400000.134\t229.494\t0.023\t1.711\t325.389\t0.139\n"
	annotatedLog = "# a title\narrival_s\tvoltage_V\tcurrent_A\tpower_W\tvoltage_peak_V\tcurrent_peak_A\twindow\tend_s\tsure\n" +
		"0.00000\t1589.901\t0.158\t81.980\t325.308\t0.145\t\t\t\n" +
		"0.01097\t229.494\t0.023\t1.711\t325.389\t0.139\t0\t-0.00826\t1\n" +
		"0.05899\t229.499\t0.023\t1.737\t325.469\t0.138\t2\t0.02826\t0\n"
	cliLog = "Timestamp;Power\r\n1409400000;1.711\r\n1409400001;1.737\r\n1409400001;0.000\r\n1409400003;-0.003\r\n"
)

func TestRead(t *testing.T) {
	began := 1409400000 * time.Second
	python := []Row{
		{Arrival: began + 123*time.Millisecond, Voltage: 1589.901, Current: 0.158, Power: 81.98, VoltagePeak: 325.308, CurrentPeak: 0.145},
		{Arrival: began + 134*time.Millisecond, Voltage: 229.494, Current: 0.023, Power: 1.711, VoltagePeak: 325.389, CurrentPeak: 0.139},
	}
	tests := []struct {
		name, log string
		powerOnly bool
		want      []Row
	}{
		{"powerspy.py", pythonLog, false, python},
		{"without header", pythonLog[strings.IndexByte(pythonLog, '\n')+1:], false, python},
		{"CR LF", strings.ReplaceAll(pythonLog, "\n", "\r\n"), false, python},
		{"from a terminal", "# Timestamp\tV\tA\tW\tV\tA\n" + strings.ReplaceAll(pythonLog[strings.IndexByte(pythonLog, '\n')+1:], "\n", "          \r"), false, python},
		{"no end of line", strings.TrimSuffix(pythonLog, "\n"), false, python},
		{"annotated", annotatedLog, false, []Row{
			{Voltage: 1589.901, Current: 0.158, Power: 81.98, VoltagePeak: 325.308, CurrentPeak: 0.145},
			{Arrival: 10970 * time.Microsecond, Voltage: 229.494, Current: 0.023, Power: 1.711, VoltagePeak: 325.389, CurrentPeak: 0.139,
				Placed: true, Window: 0, End: -8260 * time.Microsecond, Sure: true},
			{Arrival: 58990 * time.Microsecond, Voltage: 229.499, Current: 0.023, Power: 1.737, VoltagePeak: 325.469, CurrentPeak: 0.138,
				Placed: true, Window: 2, End: 28260 * time.Microsecond},
		}},
		{"powerspycli", cliLog, true, []Row{
			{Arrival: began, Power: 1.711}, {Arrival: began + time.Second, Power: 1.737},
			{Arrival: began + time.Second}, {Arrival: began + 3*time.Second, Power: -0.003},
		}},
		{"powerspycli on a terminal", "# Timestamp\tW\n\r1409400000\t1.711     \r1409400001\t1.737     ", true, []Row{
			{Arrival: began, Power: 1.711}, {Arrival: began + time.Second, Power: 1.737},
		}},
	}
	for _, tt := range tests {
		for name, log := range map[string]string{"plain": tt.log, "gzip": zipped(t, tt.log)} {
			t.Run(tt.name+" "+name, func(t *testing.T) {
				got, sum, err := readAll(t, iotest.OneByteReader(strings.NewReader(log)))
				if diff := cmp.Diff(tt.want, got); diff != "" || err != nil || sum.Skipped() > 0 || sum.Rows != len(got) {
					t.Errorf("%v, %v (-want +got):\n%s", err, sum, diff)
				}
				if !Is([]byte(log)) {
					t.Error("not recognised by its beginning")
				}
				if r, err := NewReader(strings.NewReader(log)); err != nil || r.PowerOnly() != tt.powerOnly {
					t.Errorf("power only: %t, %v", r.PowerOnly(), err)
				}
			})
		}
	}
}

// python returns a line of powerspy.py.
func python(at, power float64) string {
	return fmt.Sprintf("%.3f\t230.000\t0.100\t%.3f\t325.000\t0.200\n", at, power)
}

func TestTrouble(t *testing.T) {
	const good = 100.0
	wrap := func(counts float64) float64 { return (1<<32 - counts) * 87.875e-6 }
	tests := []struct {
		name  string
		lines string // After a good one.
		want  Summary
		power []float64
	}{
		{"torn", python(101, 5)[:20] + "\n" + python(102, 6), Summary{Rows: 2, Torn: 1}, []float64{6}},
		{"run together", strings.TrimSuffix(python(101, 5), "\n") + python(102, 6) + python(103, 7), Summary{Rows: 2, Torn: 1}, []float64{7}},
		{"other columns", "101.000\t1\t2\t3\t4\t5\t6\n" + python(102, 6), Summary{Rows: 2, Torn: 1}, []float64{6}},
		{"words", "hello world\n\x00\x00\x00\n" + python(102, 6), Summary{Rows: 2, Torn: 2}, []float64{6}},
		{"long line", strings.Repeat("1\t", 5000) + "\n" + python(102, 6), Summary{Rows: 2, Torn: 1}, []float64{6}},
		{"zeros", "101.000\t0.000\t0.000\t0.000\t0.000\t0.000\n" + python(102, 6), Summary{Rows: 2, Zeros: 1}, []float64{6}},
		{"not a number", "101.0\t230.0\tnan\t5.0\t325.0\t0.2\n102.0\tinf\t1\t1\t1\t1\n", Summary{Rows: 1, NotNumbers: 2}, nil},
		{"beyond a float", "101.0\t1e999\t1\t5.0\t325.0\t0.2\n", Summary{Rows: 1, NotNumbers: 1}, nil},
		{"negative rms", "101.0\t-230.0\t1\t5.0\t325.0\t0.2\n", Summary{Rows: 1, Torn: 1}, nil},
		{"negative time", "-101.0\t230.0\t1\t5.0\t325.0\t0.2\n", Summary{Rows: 1, Torn: 1}, nil},
		{"time beyond time", "1e300\t230.0\t1\t5.0\t325.0\t0.2\n", Summary{Rows: 1, Torn: 1}, nil},
		{"goes back", python(101, 5) + python(99, 6) + python(102, 7), Summary{Rows: 3, Backwards: 1}, []float64{5, 7}},
		{"goes back at the end", python(101, 5) + python(99, 6), Summary{Rows: 2, Backwards: 1}, []float64{5}},
		{"far ahead", python(1e7, 5) + python(101, 6) + python(102, 7), Summary{Rows: 3, Backwards: 1}, []float64{6, 7}},
		{"hours later", python(1e7, 5) + python(1e7+1, 6), Summary{Rows: 3}, []float64{5, 6}},
		{"wrapped power", python(101, wrap(1)) + python(102, wrap(35)) + python(103, 0.001), Summary{Rows: 4, Unwrapped: 2},
			[]float64{0, -34 * 87.875e-6, 0.001}},
		{"wrapped power, V1", python(101, (1<<32-1)*43.5e-6) + python(102, (1<<32-1001)*43.5e-6), Summary{Rows: 3, Unwrapped: 2},
			[]float64{0, -1000 * 43.5e-6}},
		{"impossible power", python(101, 50_000_000) + python(102, 100_000) + python(103, 6), Summary{Rows: 2, Impossible: 2}, []float64{6}},
		{"impossible after wrapped", python(101, wrap(1)) + python(102, wrap(1)-100_000), Summary{Rows: 2, Unwrapped: 1, Impossible: 1}, []float64{0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rows, sum, err := readAll(t, strings.NewReader(python(good, 1)+tt.lines))
			if err != nil || sum != tt.want {
				t.Errorf("%v, %+v, want %+v", err, sum, tt.want)
			}
			var power []float64
			for _, r := range rows[1:] {
				power = append(power, r.Power)
			}
			near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 6e-4 }) // A milliwatt is the resolution.
			if diff := cmp.Diff(tt.power, power, near); diff != "" {
				t.Errorf("unexpected power (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoLog(t *testing.T) {
	tests := []struct {
		name, text string
		is         error
		want       string
	}{
		{"empty", "", ErrFormat, "it is empty"},
		{"only comments", "# nothing\n\n", ErrFormat, "it is empty"},
		{"prose", "Dear reader,\nhello\n", ErrFormat, `such as "Dear reader,", is none with six columns`},
		{"own CSV", "start,end,power_W\n1,2,3\n", ErrFormat, "start,end"},
		{"own plain", "1409400000123456 1711\n", ErrFormat, "1409400000123456 1711"},
		{"two columns of something", "1\t2\n3\t4\n", ErrFormat, "none with six columns"},
		{"binary", "\x00\x01\x02\xff", ErrFormat, `"\x00\x01\x02\xff"`},
		{"gzip of prose", zipped(t, "hello\n"), ErrFormat, "hello"},
		{"gzip cut off at once", zipped(t, pythonLog)[:5], ErrFormat, "EOF"},
		{"header alone", "Timestamp;Power\n", ErrEmpty, "0 rows, 0 skipped"},
		{"nothing usable", "Timestamp;Power\nx;y\n1;nan\n", ErrEmpty, "0 rows, 2 skipped (1 torn, 1 not a number)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := readAll(t, strings.NewReader(tt.text))
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if tt.is == ErrFormat && Is([]byte(tt.text)) {
				t.Error("taken for a log")
			}
		})
	}
}

// What is there of a compressed log that was cut off is read.
func TestCut(t *testing.T) {
	var b strings.Builder
	for i := range 2000 {
		b.WriteString(python(100+float64(i)/50, math.Sqrt(float64(i))))
	}
	whole := zipped(t, b.String())
	rows, sum, err := readAll(t, strings.NewReader(whole[:len(whole)/2]))
	if err != nil || !sum.Short || len(rows) < 500 || len(rows) > 1500 || sum.Torn > 1 {
		t.Errorf("%d rows, %v, %v", len(rows), sum, err)
	}
	damaged := []byte(whole)
	for i := range 50 {
		damaged[len(damaged)/2+i] ^= 0x5a
	}
	if rows, sum, err := readAll(t, bytes.NewReader(damaged)); err != nil || !sum.Short || len(rows) < 500 {
		t.Errorf("damaged: %d rows, %v, %v", len(rows), sum, err)
	}
}

// A failing disk is no end of a log.
func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	long := strings.Repeat(python(100, 1), 1000)
	if _, _, err := readAll(t, io.MultiReader(strings.NewReader(long), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := NewReader(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// endless is a log without an end.
type endless struct {
	n    int
	rest []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		e.n++
		e.rest = []byte(python(100+float64(e.n)/50, 5))
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// Memory does not grow with a log, nor with a line.
func TestConstantMemory(t *testing.T) {
	r, err := NewReader(new(endless))
	if err != nil {
		t.Fatal(err)
	}
	line := io.MultiReader(strings.NewReader(python(100, 1)), new(zeroes))
	l, err := NewReader(io.LimitReader(line, 8<<20))
	if err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		for range 100_000 {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	if before, after := heap(), heap(); after > before+1<<20 {
		t.Errorf("grew from %d to %d bytes", before, after)
	}
	if _, err := l.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Next(); err != io.EOF || l.Summary().Torn != 1 {
		t.Errorf("%v, %v", err, l.Summary())
	}
}

type zeroes struct{}

func (*zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		pythonLog, annotatedLog, cliLog, zipped(f, pythonLog), zipped(f, cliLog)[:30],
		python(100, 377421.001) + python(101, 377421) + python(99, 3) + "1e9\tnan\t\t\t\t\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		r, err := NewReader(bytes.NewReader(log))
		if err != nil {
			return
		}
		if !Is(log) {
			t.Error("read, but not recognised")
		}
		last := time.Duration(0)
		rows := 0
		for {
			row, err := r.Next()
			if err != nil {
				break
			}
			rows++
			for _, v := range []float64{row.Voltage, row.Current, row.Power, row.VoltagePeak, row.CurrentPeak} {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Errorf("got %+v", row)
				}
			}
			if row.Arrival < last || row.Voltage < 0 || row.Current < 0 || math.Abs(row.Power) > largestWrapped || row.Window < 0 {
				t.Errorf("got %+v after %v", row, last)
			}
			last = row.Arrival
		}
		if rows != r.Summary().Rows {
			t.Errorf("%d rows, %v", rows, r.Summary())
		}
	})
}
