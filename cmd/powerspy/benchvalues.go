package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"powerspy2/internal/bench/commands"
	"powerspy2/internal/cli"
)

// What bench takes for its flags.

// exitCodeSet are exit statuses that are no failure, beside 0.
type exitCodeSet struct {
	all   bool
	codes []int
}

func (s exitCodeSet) accept(code int) bool { return s.all || slices.Contains(s.codes, code) }

// exitCodes are exit statuses with commas between them; nothing is all of them.
type exitCodes struct{}

func (exitCodes) Noun() string    { return "exit statuses" }
func (exitCodes) Use() string     { return "for example 1 or 1,2, or all-non-zero" }
func (exitCodes) Words() []string { return []string{"all-non-zero", "1", "1,2"} }

func (exitCodes) Parse(text string) (any, error) {
	if text == "" || text == "all-non-zero" {
		return exitCodeSet{all: true}, nil
	}
	var set exitCodeSet
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil {
			return nil, cli.ErrInvalid
		}
		if n < 1 || n > 255 {
			return nil, errors.New("an exit status is 1 to 255")
		}
		set.codes = append(set.codes, n)
	}
	return set, nil
}

// outputPolicy is one of them, or the path of a file, which has a slash.
type outputPolicy struct{}

func (outputPolicy) Noun() string { return "place" }
func (outputPolicy) Use() string  { return "null, pipe, inherit, or a file with a slash such as ./out" }
func (outputPolicy) Words() []string {
	return []string{commands.OutputNull, commands.OutputPipe, commands.OutputInherit}
}

func (p outputPolicy) Parse(text string) (any, error) {
	if slices.Contains(p.Words(), text) {
		return text, nil
	}
	if !strings.ContainsRune(text, filepath.Separator) {
		return nil, cli.ErrInvalid
	}
	return text, nil
}

// checkOutput says what keeps the output of a command from being written to a file. A
// device or a pipe may be one.
func checkOutput(where string) error {
	if slices.Contains(outputPolicy{}.Words(), where) {
		return nil
	}
	if info, err := os.Stat(where); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil
	}
	return newFile{name: where, force: true}.check()
}
