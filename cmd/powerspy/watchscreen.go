package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"

	"powerspy2/internal/progress"
	"powerspy2/internal/signals"
	"powerspy2/internal/watch"
	"powerspy2/measure"
	"powerspy2/meter"
)

const (
	// pictures is how many a second are drawn at most.
	pictures = 10

	// screenPatience is how long a terminal that takes nothing is waited for.
	screenPatience = 2 * time.Second
)

// draw shows a model on the terminal until a key says that it is enough, or ctx
// ends. The terminal is then as it was.
func (s *session) draw(ctx context.Context, model *watch.Model) error {
	in, err := keyboard()
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	if in != os.Stdin {
		defer in.Close() // it was only read
	}
	stops := make(chan os.Signal, 1)
	var suspended atomic.Bool // the program stops itself
	again := func() {}        // has SIGTSTP be caught again
	p := tea.NewProgram(model, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(os.Stdout),
		tea.WithoutSignalHandler(), tea.WithFPS(pictures), tea.WithFilter(func(_ tea.Model, msg tea.Msg) tea.Msg {
			switch msg.(type) {
			case tea.SuspendMsg:
				suspended.Store(true)
				again = signals.LetStop()
			case tea.ResumeMsg:
				again()
				suspended.Store(false)
			}
			return msg
		}))
	// Who stops this program from outside finds the terminal as it was, too; who
	// could not be kept from it finds it drawn on again.
	signal.Notify(stops, syscall.SIGTSTP, syscall.SIGCONT)
	drawn := make(chan error, 1)
	go func() {
		_, err := p.Run()
		drawn <- err
	}()
	defer signal.Stop(stops)
	patience := make(<-chan time.Time)
	done := ctx.Done()
	for {
		select {
		case sig := <-stops:
			switch {
			case sig == syscall.SIGTSTP:
				p.Send(tea.Suspend())
			case !suspended.Load():
				// SIGSTOP, and whatever a shell did to the terminal since. What fails here
				// fails again when a picture is drawn.
				_ = p.ReleaseTerminal()
				_ = p.RestoreTerminal()
			}
		case err := <-drawn:
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				return nil
			}
			return err
		case <-done:
			patience, done = time.After(screenPatience), nil
		case <-patience:
			return errors.New("watch: the terminal takes nothing any more")
		}
	}
}

// keyboard returns what keys are read from: standard input, or where that is
// something else the terminal.
func keyboard() (*os.File, error) {
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return os.Stdin, nil
	}
	return os.OpenFile("/dev/tty", os.O_RDWR, 0)
}

// A board takes what the command would write while something else is drawn on the
// terminal, and shows it there.
type board struct {
	progress *progress.Teller
	marks    func(measure.Mark) // where they are recorded
	back     func()

	mu   sync.Mutex
	seen *watch.Seen // nil: nothing is drawn
}

// open begins to show.
func (b *board) open(seen *watch.Seen) {
	b.set(seen)
	if b.progress.Terminal {
		b.back = b.progress.Divert(b)
	}
}

// close ends it.
func (b *board) close() {
	if b.back != nil {
		b.back()
	}
	b.set(nil)
}

func (b *board) set(seen *watch.Seen) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = seen
}

// shown returns what is drawn; nil: nothing is.
func (b *board) shown() *watch.Seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen
}

// report is told what goes on.
func (b *board) report(status meter.Status) {
	if seen := b.shown(); seen != nil {
		seen.Status(status)
		return
	}
	b.progress.Report(status)
}

// mark records a mark, and shows it.
func (b *board) mark(m measure.Mark) {
	b.marks(m)
	if seen := b.shown(); seen != nil {
		seen.Mark(m)
	}
}

// note shows a line.
func (b *board) note(text string) {
	if seen := b.shown(); seen != nil {
		seen.Note(time.Now(), text)
	}
}

// Write takes whole lines, the last of which is shown.
func (b *board) Write(p []byte) (int, error) {
	lines := strings.Split(strings.TrimSpace(string(p)), "\n")
	b.note(strings.TrimPrefix(lines[len(lines)-1], "powerspy: "))
	return len(p), nil
}

var _ io.Writer = (*board)(nil)
