package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"powerspy2/internal/harmless"
	"powerspy2/internal/screen"
	"powerspy2/meter"
)

// A Teller tells on standard error what is going on: on a terminal a line with
// the time elapsed, or a bar where the end is known, which appears when a phase
// takes longer than a second and goes when it is done; elsewhere a plain line a
// phase; nothing when quiet. It shares standard error with whole lines, which never
// end up inside of one another.
type Teller struct {
	Out      io.Writer
	Terminal bool       // that knows escape sequences
	Width    func() int // its columns, 0 if that is not known; nil: that
	Quiet    bool       // tell errors only

	mu    sync.Mutex // serialises writes to Out, and guards what follows
	shown bool       // the line is on the terminal

	// The goroutine that draws, if there is one; only End and what begins a
	// phase touch these, and nobody calls them concurrently.
	stop, stopped chan struct{}
	text          string
}

// Timing of the line: nothing that is quick should flicker.
const (
	patience = time.Second
	step     = 100 * time.Millisecond
)

// ClearLine returns the cursor to the start of a line and empties the line.
const ClearLine = "\r\x1b[K"

var spinner = [...]string{"|", "/", "-", "\\"}

// Report begins a phase, and so ends the one before.
func (p *Teller) Report(s meter.Status) {
	p.End()
	s.Text = harmless.Text(s.Text)
	switch {
	case p.Quiet, s.Phase == meter.Streaming:
		return
	case s.Phase == meter.Noticed:
		p.Line("%s", s.Text)
		return
	}
	if !p.Terminal {
		if s.Text != p.text {
			p.Line("%s", s.Text)
		}
		p.text = s.Text
		return
	}
	began := time.Now()
	p.begin(s.Phase == meter.Pairing, func() string { // which PIN is tried is worth knowing at once
		return fmt.Sprintf("%s (%ds)", s.Text, int(time.Since(began).Seconds()))
	})
}

// Working begins a phase that only a terminal is told of: one that is as quick
// as a request, unless something goes wrong.
func (p *Teller) Working(text string) {
	if p.Terminal {
		p.Report(meter.Status{Text: text})
	}
}

// Transfer begins a phase that moves so many bytes, of which done is to be told
// how many have been. Only a terminal is told of it.
func (p *Teller) Transfer(text string, total int64) (done func(int64)) {
	p.End()
	if p.Quiet || !p.Terminal {
		return func(int64) {}
	}
	// The bar draws nothing itself: that is for one alone.
	bar := progressbar.NewOptions64(total, progressbar.OptionSetWriter(io.Discard),
		progressbar.OptionSetTheme(progressbar.ThemeASCII), progressbar.OptionSetWidth(barWidth),
		progressbar.OptionShowBytes(true), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true))
	bar.StartWithoutRender()
	p.begin(false, func() string { return text + strings.TrimLeft(bar.String(), "\r") })
	return func(n int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		_ = bar.Set64(n) // fails for a file of no bytes, which has no bar
	}
}

// Steps begins a phase of some steps, of which set is to be told how many are done,
// how many there are, and what is going on. Only a terminal is told of it.
func (p *Teller) Steps() (set func(done, total int, text string)) {
	p.End()
	if p.Quiet || !p.Terminal {
		return func(int, int, string) {}
	}
	bar := progressbar.NewOptions(1, progressbar.OptionSetWriter(io.Discard),
		progressbar.OptionSetTheme(progressbar.ThemeASCII), progressbar.OptionSetWidth(barWidth),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionShowCount())
	bar.StartWithoutRender()
	what := ""
	p.begin(false, func() string { return strings.TrimSpace(strings.TrimLeft(bar.String(), "\r")) + " " + what })
	return func(done, total int, text string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		bar.ChangeMax(max(total, 1))
		_ = bar.Set(min(done, max(total, 1))) // fails for no steps, which have no bar
		what = text
	}
}

// barWidth leaves room for the rest of a line of 80 columns.
const barWidth = 16

// begin begins to draw the line that text returns, which is called with p.mu
// held.
func (p *Teller) begin(atOnce bool, text func() string) {
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	delay := patience
	if atOnce {
		delay = 0
	}
	go p.draw(delay, text, p.stop, p.stopped)
}

// End ends the phase: its line is gone when End returns.
func (p *Teller) End() {
	if p.stop != nil {
		close(p.stop)
		<-p.stopped
		p.stop = nil
	}
}

func (p *Teller) draw(delay time.Duration, text func() string, stop, stopped chan struct{}) {
	defer close(stopped)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			p.mu.Lock()
			p.clear()
			p.mu.Unlock()
			return
		case <-timer.C:
			p.mu.Lock()
			p.shown = true
			// Standard error that can't be written to has no better place
			// to be complained about.
			_, _ = io.WriteString(p.Out, ClearLine+p.fit(spinner[i%len(spinner)]+" "+text()))
			p.mu.Unlock()
			timer.Reset(step)
		}
	}
}

// fit keeps a line from being wrapped, since only the last row of one that is
// would be cleared.
func (p *Teller) fit(line string) string {
	if p.Width == nil {
		return line
	}
	return screen.Fit(line, p.Width()-1)
}

// clear removes the line. p.mu is held.
func (p *Teller) clear() {
	if p.shown {
		p.shown = false
		_, _ = io.WriteString(p.Out, ClearLine)
	}
}

// Line writes a line of its own, also while a phase is shown; nothing when
// quiet.
func (p *Teller) Line(format string, args ...any) {
	if !p.Quiet {
		p.Failure(format, args...)
	}
}

// Failure is Line for a failure that does not end the command, which is told also when
// quiet.
func (p *Teller) Failure(format string, args ...any) {
	p.Tell([]byte("powerspy: " + harmless.Lines(fmt.Sprintf(format, args...)) + "\n"))
}

// Tell puts whole lines on standard error, also when quiet.
func (p *Teller) Tell(lines []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	_, _ = p.Out.Write(lines)
}

// GiveWay calls write when the line is off the terminal, which write writes to.
func (p *Teller) GiveWay(write func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	write()
}

// Divert has whole lines go elsewhere until back is called. No phase is shown then.
func (p *Teller) Divert(w io.Writer) (back func()) {
	p.End()
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.Out
	p.Out = w
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.Out = before
	}
}

// Trace shows bytes exchanged with the meter, a line a transfer: `> <?>` was
// sent, `< <POWERSPY...>` received. What is not printable ASCII is escaped.
func (p *Teller) Trace(sent bool, b []byte) {
	line := make([]byte, 0, len(b)+16)
	if sent {
		line = append(line, "> "...)
	} else {
		line = append(line, "< "...)
	}
	for _, c := range b {
		switch {
		case c == '\n':
			line = append(line, `\n`...)
		case c == '\r':
			line = append(line, `\r`...)
		case c == '\\':
			line = append(line, `\\`...)
		case c < ' ' || c > '~':
			line = fmt.Appendf(line, `\x%02x`, c)
		default:
			line = append(line, c)
		}
	}
	p.Tell(append(line, '\n'))
}
