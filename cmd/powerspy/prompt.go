package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"powerspy2/internal/cli"
	"powerspy2/meter"
)

// terminal is a terminal to ask questions on: an *os.File whose reads a
// deadline ends.
type terminal interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SyscallConn() (syscall.RawConn, error)
}

// openTerminal opens the terminal of this process again. Standard input is left
// alone: a read of it could not be ended by a deadline, and its mode is shared
// with other programs.
func openTerminal() (terminal, error) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// maxQuestions bounds how often an answer that makes no sense is asked again.
const maxQuestions = 3

// askPIN asks for the PIN of a meter. It does not appear on the terminal.
func (s *session) askPIN(ctx context.Context, t meter.Target) (string, error) {
	s.progress.End()
	return s.ask(ctx, func(tt *term.Terminal) (string, error) {
		return tt.ReadPassword(fmt.Sprintf("PIN of %s (on its label or in its manual): ", t))
	})
}

// choose asks which of several meters is meant.
func (s *session) choose(ctx context.Context, found []meter.Target) (int, error) {
	s.progress.End()
	var list strings.Builder
	fmt.Fprintln(&list, "There are several meters:")
	for i, t := range found {
		fmt.Fprintf(&list, "%4d  %s\n", i+1, t)
	}
	prompt := fmt.Sprintf("Which one (1 to %d)? ", len(found))
	choice := -1
	_, err := s.ask(ctx, func(tt *term.Terminal) (string, error) {
		if _, err := io.WriteString(tt, list.String()); err != nil {
			return "", err
		}
		tt.SetPrompt(prompt)
		for range maxQuestions {
			line, err := tt.ReadLine()
			if err != nil {
				return "", err
			}
			n, err := strconv.Atoi(strings.TrimSpace(line))
			if err == nil && n >= 1 && n <= len(found) {
				choice = n - 1
				return line, nil
			}
		}
		return "", &cli.UsageError{Text: "no meter was chosen", Help: "powerspy scan"}
	})
	return choice, err
}

// ask opens the terminal, puts a question and returns the answer. It ends with
// the context; Ctrl-C and Ctrl-D end the context.
func (s *session) ask(ctx context.Context, question func(*term.Terminal) (string, error)) (answer string, err error) {
	tty, err := s.env.terminal()
	if err != nil {
		return "", fmt.Errorf("ask on the terminal: %w", err)
	}
	// What was asked and answered has been seen by then.
	defer func() { _ = tty.Close() }()
	restore, err := makeRaw(tty)
	if err != nil {
		return "", fmt.Errorf("ask on the terminal: %w", err)
	}
	defer func() { err = errors.Join(err, restore()) }()

	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		// A terminal without deadlines keeps its question until a key is hit.
		_ = tty.SetReadDeadline(time.Unix(1, 0))
	})
	defer func() {
		if !stop() {
			<-ended
		}
	}()
	answer, err = question(term.NewTerminal(tty, ""))
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, io.EOF): // Ctrl-C or Ctrl-D, of which raw mode makes no signal
		s.env.interrupt()
		return "", context.Canceled
	}
	return answer, err
}

// makeRaw hands every key to us, unechoed, and returns what undoes it.
func makeRaw(tty terminal) (restore func() error, err error) {
	// Not through Fd: that would make the file blocking, and end its deadlines.
	raw, err := tty.SyscallConn()
	if err != nil {
		return nil, err
	}
	var state *term.State
	var serr error
	if err := raw.Control(func(fd uintptr) { state, serr = term.MakeRaw(int(fd)) }); err != nil {
		return nil, err
	}
	if serr != nil {
		return nil, serr
	}
	return func() error {
		var serr error
		err := raw.Control(func(fd uintptr) { serr = term.Restore(int(fd), state) })
		return errors.Join(err, serr)
	}, nil
}
