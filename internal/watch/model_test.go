package watch

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"powerspy2/measure"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
)

var update = flag.Bool("update", false, "write the golden files again")

var began = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

const window = 20 * time.Millisecond

// A bench is a model with a clock, and a meter that the test drives.
type bench struct {
	*Model
	now   time.Time
	marks []measure.Mark
}

func newBench(cfg Config) *bench {
	b := &bench{now: began}
	cfg.Name, cfg.Now = "PowerSpy 4567", func() time.Time { return b.now }
	seen := NewSeen(time.Second, 0.002, 0)
	cfg.Mark = func(m measure.Mark) {
		b.marks = append(b.marks, m)
		seen.Mark(m)
	}
	b.Model = New(cfg, seen)
	return b
}

// passes lets a time pass in which the meter measures.
func (b *bench) passes(d time.Duration, power func(at time.Duration) float64) {
	for end := b.now.Add(d); b.now.Before(end); b.now = b.now.Add(window) {
		e := measuretest.Windows(b.now, 1, window, power(b.now.Sub(began)))[0]
		e.Window.Delay = 12 * time.Millisecond
		n := b.now.Sub(began) / window
		if n%250 == 0 {
			e.Window.Delay = 80 * time.Millisecond
		}
		if n%200 == 7 {
			e.Window.Bridged = true
		}
		_ = b.seen.Event(&e)
	}
}

// breaks lets a time pass in which it does not.
func (b *bench) breaks(d time.Duration) {
	status := meter.Event{Kind: meter.StatusEvent, Status: meter.Status{Time: b.now, Phase: meter.Recovering, Text: "connecting again"}}
	_ = b.seen.Event(&status)
	gap := measuretest.Gap(b.now, d, 0)
	gap.Gap.Reason = "the link broke\x1b[2J"
	b.now = b.now.Add(d)
	_ = b.seen.Event(&gap)
}

func (b *bench) size(columns, rows int) { b.Update(tea.WindowSizeMsg{Width: columns, Height: rows}) }

// types hits keys: a character each, or a name in angle brackets.
func (b *bench) types(keys string) tea.Cmd {
	named := map[string]tea.KeyPressMsg{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "backspace": {Code: tea.KeyBackspace},
		"space": {Code: tea.KeySpace, Text: " "}, "ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+z": {Code: 'z', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl},
	}
	var last tea.Cmd
	for keys != "" {
		if name, rest, ok := strings.Cut(keys[1:], ">"); keys[0] == '<' && ok {
			_, last = b.Update(named[name])
			keys = rest
			continue
		}
		r := []rune(keys)[0]
		_, last = b.Update(tea.KeyPressMsg{Code: r, Text: string(r)})
		keys = keys[len(string(r)):]
	}
	return last
}

// shown returns the picture without styles, and checks that it has the terminal's
// size.
func (b *bench) shown(t *testing.T) string {
	t.Helper()
	text := ansi.Strip(b.View().Content)
	lines := strings.Split(text, "\n")
	if len(lines) > b.height {
		t.Errorf("%d lines in %d rows:\n%s", len(lines), b.height, text)
	}
	for _, l := range lines {
		if w := ansi.StringWidth(l); w > b.width {
			t.Errorf("%d columns in %d: %q", w, b.width, l)
		}
	}
	return text
}

// load is an idle machine with jobs, and a peak of one window every now and then.
func load(at time.Duration) float64 {
	s := at.Seconds()
	p := 38 + 2*math.Sin(s/3)
	if math.Mod(s, 60) > 30 {
		p += 45
	}
	if at%(17*time.Second) == 0 {
		p = 120
	}
	return p
}

// lived is a bench with some minutes behind it.
func lived(cfg Config) *bench {
	cfg.Cost = func(j float64) string { return fmt.Sprintf("%.6f EUR", 0.32*j/3.6e6) }
	b := newBench(cfg)
	b.size(80, 24)
	b.passes(20*time.Second, load)
	b.types("r")
	b.passes(70*time.Second, load)
	b.types("m")
	b.passes(2*time.Second, load)
	b.types("compile<enter>")
	b.passes(70*time.Second, load)
	b.breaks(9 * time.Second)
	b.passes(50*time.Second, load)
	b.types("mtest<space>données<enter>")
	b.passes(20*time.Second, load)
	return b
}

func TestViews(t *testing.T) {
	tests := []struct {
		name          string
		columns, rows int
		config        Config
		keys          string
	}{
		{name: "80x24", columns: 80, rows: 24, config: Config{UTF8: true, Color: true}},
		{name: "40x12", columns: 40, rows: 12, config: Config{UTF8: true, Color: true}},
		{name: "200x60", columns: 200, rows: 60, config: Config{UTF8: true, Color: true}},
		{name: "80x24-ascii", columns: 80, rows: 24},
		{name: "40x12-ascii", columns: 40, rows: 12},
		{name: "80x24-zero-1min", columns: 80, rows: 24, config: Config{UTF8: true, Span: time.Minute}, keys: "0"},
		{name: "80x24-help", columns: 80, rows: 24, config: Config{UTF8: true}, keys: "?"},
		{name: "40x12-mark", columns: 40, rows: 12, config: Config{UTF8: true}, keys: "mlink"},
		{name: "20x6", columns: 20, rows: 6, config: Config{UTF8: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := lived(tt.config)
			b.size(tt.columns, tt.rows)
			b.types(tt.keys)
			got := b.shown(t) + "\n"
			file := filepath.Join("testdata", tt.name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got; -update writes it again):\n%s", file, diff)
			}
		})
	}
}

// Nothing is told by a colour alone: without colours the text is the same.
func TestColors(t *testing.T) {
	color, plain := lived(Config{UTF8: true, Color: true}), lived(Config{UTF8: true})
	if diff := cmp.Diff(color.shown(t), plain.shown(t)); diff != "" {
		t.Errorf("with colours and without (-with +without):\n%s", diff)
	}
	if got := color.View().Content; !strings.Contains(got, "\x1b[1;36m") {
		t.Errorf("there is no colour in %q", got)
	}
	got := plain.View().Content
	for i, part := range strings.Split(got, "\x1b[") {
		if i > 0 && !strings.HasPrefix(part, "m") && !strings.HasPrefix(part, "1m") {
			t.Errorf("without colours there is %q", part[:min(len(part), 10)])
		}
	}
	for _, r := range lived(Config{}).shown(t) {
		if r > '~' && !strings.ContainsRune("é", r) { // which is in the name of a mark
			t.Errorf("ASCII has %q", r)
		}
	}
}

// Every size has a picture that fits, in every state.
func TestSizes(t *testing.T) {
	fresh := newBench(Config{UTF8: true})
	benches := map[string]*bench{"fresh": fresh, "utf8": lived(Config{UTF8: true}), "ascii": lived(Config{})}
	for name, b := range benches {
		for _, keys := range []string{"", "?", "m" + strings.Repeat("long name ", 40), "<ctrl+u><enter>"} {
			b.types(keys)
			for _, rows := range []int{1, 2, 3, 5, 8, 12, 18, 24, 60} {
				for _, columns := range []int{1, 2, 7, 12, 20, 40, 59, 60, 80, 130} {
					b.size(columns, rows)
					if b.shown(t); t.Failed() {
						t.Fatalf("%s, %d columns, %d rows, keys %q", name, columns, rows, keys)
					}
				}
			}
			if keys == "?" {
				b.types("?")
			}
		}
	}
}

// What comes from outside never reaches the terminal as it is.
func TestHarmless(t *testing.T) {
	b := lived(Config{UTF8: true})
	b.seen.Note(b.now, "a note\x1b]0;title\a\r\n")
	b.seen.Status(meter.Status{Phase: meter.Recovering, Text: "status\x1b[2J\u202e"})
	b.seen.Mark(measure.Mark{Time: b.now, Name: "mark\x1b[H\n"})
	b.size(200, 60)
	b.types("m")
	b.Update(tea.PasteMsg{Content: "pasted\x1b[31m\r\nsecond line"})
	text := b.shown(t)
	for _, want := range []string{`a note\x1b]0;title\a\r\n`, `status\x1b[2J\u202e`, `mark\x1b[H\n`, `pasted\x1b[31m`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "second line") || strings.ContainsAny(text, "\a\r\u202e") {
		t.Errorf("unfit to show:\n%s", text)
	}
}

// The large digits vanish when there is nothing to show, and the state says why.
func TestStates(t *testing.T) {
	b := newBench(Config{UTF8: true})
	b.size(100, 30)
	wants := func(texts ...string) {
		t.Helper()
		got := b.shown(t)
		for _, want := range texts {
			if !strings.Contains(got, want) {
				t.Errorf("%q is not in\n%s", want, got)
			}
		}
	}
	wants("-- V", "nothing was measured yet")
	b.passes(5*time.Second, func(time.Duration) float64 { return 100 })
	wants("230.0 V", "measuring", "mean 100.0 W", "gaps 0")
	b.now = b.now.Add(5 * time.Second)
	wants("! no data for 0:05", "-- V", "coverage 50.0")
	b.seen.Status(meter.Status{Time: b.now, Phase: meter.Recovering, Text: "connecting again"})
	wants("! away: connecting again", "-- V", "xx\n")
	if diff := strings.Count(b.shown(t), "░"); diff < 2 {
		t.Errorf("a gap that goes on is not in the chart")
	}
	gap := measuretest.Gap(began.Add(5*time.Second), 5*time.Second, 0)
	_ = b.seen.Event(&gap)
	b.passes(5*time.Second, func(time.Duration) float64 { return 50 })
	wants("measuring", "230.0 V", "gaps 1 (5.0 s)", "recoveries 1", "min 50.00 W", "max 100.0 W", "nothing was measured for 5.0 s: a test wants it", "coverage 66.67 %", "750.0")
	b.types("r")
	b.passes(2*time.Second, func(time.Duration) float64 { return 50 })
	wants("100.0", "in 0:02", "max 50.00 W")
	b.seen.Event(&meter.Event{Kind: meter.StatusEvent, Status: meter.Status{Time: b.now, Phase: meter.Noticed, Kind: meter.ManyLeftOut, Text: "many are left out"}})
	wants("! 09:27:10 many are left out", "measuring")
	b.passes(61*time.Second, func(time.Duration) float64 { return 50 })
	if strings.Contains(b.shown(t), "many are left out") {
		t.Error("a note stays for ever")
	}
}

// A mark is of the moment at which its key was hit, and has a name that is one.
func TestMarks(t *testing.T) {
	b := newBench(Config{UTF8: true})
	b.size(80, 24)
	constant := func(time.Duration) float64 { return 10 }
	b.passes(10*time.Second, constant)
	first := b.now
	b.types("m")
	b.passes(5*time.Second, constant)
	b.types("<enter>")
	if got := b.shown(t); !strings.Contains(got, "it is empty") || len(b.marks) > 0 {
		t.Errorf("an empty name: %v\n%s", b.marks, got)
	}
	b.types("buildx<backspace><enter>")
	b.types("mnever<esc>")
	b.passes(10*time.Second, constant)
	ended := b.now
	b.types("e")
	b.passes(5*time.Second, constant)
	b.types("mq")
	if b.types("?") != nil || b.View().Cursor == nil {
		t.Error("keys in a name are commands, or there is no cursor")
	}
	b.types("<ctrl+u>q?<enter>")
	want := []measure.Mark{{Time: first, Name: "build"}, {Time: ended, End: true}, {Time: b.now, Name: "q?"}}
	if diff := cmp.Diff(want, b.marks); diff != "" {
		t.Errorf("marks (-want +got):\n%s", diff)
	}
	b.passes(2*time.Second, constant)
	b.types("+++")
	for _, text := range []string{"^build", "^end", "phase q?  20."} {
		if got := b.shown(t); !strings.Contains(got, text) {
			t.Errorf("%q is not in\n%s", text, got)
		}
	}
	b.size(80, 50)
	if got := b.shown(t); !strings.Contains(got, "phase build  150.") {
		t.Errorf("the phase before is not in\n%s", got)
	}
	b.types("mx" + strings.Repeat("é", measure.MaxName) + "<enter>")
	if last := b.marks[len(b.marks)-1]; len(last.Name) > measure.MaxName || measure.CheckName(last.Name) != nil {
		t.Errorf("a long name became %q", last.Name)
	}
}

// A model that nobody told where marks go shows them.
func TestMarksOfNobody(t *testing.T) {
	b := newBench(Config{})
	b.config.Mark = nil
	b.passes(time.Second, load)
	b.types("mhere<enter>")
	if got := b.seen.marksIn(began); len(got) != 1 || got[0].Name != "here" {
		t.Errorf("marks: %v", got)
	}
}

// What another machine's clock is off counts in the uncertainty.
func TestClock(t *testing.T) {
	uncertain := func(clock time.Duration) float64 {
		b := newBench(Config{})
		b.seen = NewSeen(time.Second, 0.002, clock)
		b.size(80, 24)
		b.passes(40*time.Second, load) // with a step at half a minute
		b.now = began.Add(20 * time.Second)
		b.types("r")
		b.now = began.Add(40 * time.Second)
		b.View()
		return b.counted.Uncertainty.Standard()
	}
	if near, far := uncertain(0), uncertain(200*time.Millisecond); far < near+1 {
		t.Errorf("uncertainties of %.3g J, and %.3g J with another clock", near, far)
	}
}

func TestKeys(t *testing.T) {
	b := lived(Config{UTF8: true})
	if b.types("q") == nil || b.types("<ctrl+c>") == nil || b.types("m<ctrl+c>") == nil {
		t.Error("keys that quit do not")
	}
	if got := b.types("<ctrl+c>")(); got != tea.Quit() {
		t.Errorf("Ctrl-C makes %T", got)
	}
	b.types("<esc>")
	if got := b.types("<ctrl+z>")(); got != tea.Suspend() {
		t.Errorf("Ctrl-Z makes %T", got)
	}
	for range 20 {
		b.types("+")
	}
	if b.span != 30*time.Second {
		t.Errorf("the shortest span is %v", b.span)
	}
	for range 20 {
		b.types("-")
	}
	if got := b.shown(t); b.span != time.Hour || !strings.Contains(got, "min└") {
		t.Errorf("the longest span is %v:\n%s", b.span, got)
	}
	b.span = 7 * time.Minute
	if b.types("+"); b.span != 5*time.Minute {
		t.Errorf("from 7 min in to %v", b.span)
	}
	b.span = 7 * time.Minute
	if b.types("-"); b.span != 10*time.Minute {
		t.Errorf("from 7 min out to %v", b.span)
	}
}

// Ticks ask for the next one, and what is drawn between two is of the same sums.
func TestTicks(t *testing.T) {
	b := lived(Config{})
	if _, next := b.Update(tick{}); next == nil || b.Init() == nil {
		t.Error("no picture follows")
	}
}
