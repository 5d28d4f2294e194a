package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"powerspy2/meter"
)

// progress tells on standard error what is going on: on a terminal a line with
// the time elapsed, which appears when a phase takes longer than a second and
// goes when it is done; elsewhere a plain line a phase; nothing when quiet. It
// shares standard error with whole lines (Line), which never end up inside of
// one another.
type progress struct {
	w        io.Writer
	terminal bool
	quiet    bool

	mu    sync.Mutex // serialises writes to w, and guards what follows
	shown bool       // the line is on the terminal

	// The goroutine that draws, if there is one; only End and Report touch
	// these, and meter calls neither concurrently.
	stop, stopped chan struct{}
	text          string
}

// Timing of the line: nothing that is quick should flicker.
const (
	progressDelay = time.Second
	progressStep  = 100 * time.Millisecond
)

// clearLine returns the cursor to the start of a line and empties the line.
const clearLine = "\r\x1b[K"

var spinner = [...]string{"|", "/", "-", "\\"}

// Report begins a phase, and so ends the one before.
func (p *progress) Report(s meter.Status) {
	p.End()
	if p.quiet || s.Phase == meter.Streaming {
		return
	}
	if !p.terminal {
		if s.Text != p.text {
			p.Line("%s", s.Text)
		}
		p.text = s.Text
		return
	}
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	go p.draw(s, p.stop, p.stopped)
}

// End ends the phase: its line is gone when End returns.
func (p *progress) End() {
	if p.stop != nil {
		close(p.stop)
		<-p.stopped
		p.stop = nil
	}
}

func (p *progress) draw(s meter.Status, stop, stopped chan struct{}) {
	defer close(stopped)
	began := time.Now()
	delay := progressDelay
	if s.Phase == meter.Pairing {
		delay = 0 // which PIN is tried is worth knowing at once
	}
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
			_, _ = fmt.Fprintf(p.w, "%s%s %s (%ds)", clearLine, spinner[i%len(spinner)], s.Text, int(time.Since(began).Seconds()))
			p.mu.Unlock()
			timer.Reset(progressStep)
		}
	}
}

// clear removes the line. p.mu is held.
func (p *progress) clear() {
	if p.shown {
		p.shown = false
		_, _ = io.WriteString(p.w, clearLine)
	}
}

// Line writes a line of its own, also while a phase is shown; nothing when
// quiet.
func (p *progress) Line(format string, args ...any) {
	if p.quiet {
		return
	}
	p.write(append(fmt.Appendf(nil, "powerspy: "+format, args...), '\n'))
}

// Transient shows a line on a terminal until the next one, or anything else, is
// shown.
func (p *progress) Transient(format string, args ...any) {
	if p.quiet || !p.terminal {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = true
	_, _ = fmt.Fprintf(p.w, clearLine+format, args...)
}

// write puts whole lines on standard error.
func (p *progress) write(lines []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	_, _ = p.w.Write(lines)
}

// trace shows bytes exchanged with the meter, a line a transfer: `> <?>` was
// sent, `< <POWERSPY...>` received. What is no printable ASCII is escaped.
func (p *progress) trace(sent bool, b []byte) {
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
	p.write(append(line, '\n'))
}
