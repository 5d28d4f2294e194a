package sim

import (
	"errors"
	"fmt"
	"io"
	"os"

	"powerspy2/internal/oldlog"
)

// maxRows bounds the memory of a recording: eleven hours of one-period windows.
const maxRows = 2_000_000

// A Recording is a stream of a real meter as an older tool wrote it down, to
// be sent again. It is not changed once it is read.
type Recording struct {
	rows      []oldlog.Row
	powerOnly bool
	skipped   oldlog.Summary
}

// ReadRecording reads a log of powerspy.py or powerspycli, known by its
// content, perhaps compressed by gzip. What is no such log, has no usable row
// or more than two million is an error, of no type of its own.
func ReadRecording(r io.Reader) (*Recording, error) {
	log, err := oldlog.NewReader(r)
	if err != nil {
		return nil, err
	}
	rec := &Recording{powerOnly: log.PowerOnly()}
	for {
		row, err := log.Next()
		switch {
		case errors.Is(err, io.EOF):
			rec.skipped = log.Summary()
			return rec, nil
		case err != nil:
			return nil, err
		case len(rec.rows) == maxRows:
			return nil, fmt.Errorf("log has more than %d rows", maxRows)
		}
		rec.rows = append(rec.rows, row)
	}
}

// OpenRecording is ReadRecording of a file. It has to be a plain one.
func OpenRecording(path string) (rec *Recording, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if rec, err = ReadRecording(f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rec, nil
}

// String says how much of the log is usable.
func (r *Recording) String() string { return r.skipped.String() }
