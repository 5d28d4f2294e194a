package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"powerspy2/measure"
	"powerspy2/meter"
)

// liveSource opens what yields windows as they are measured: the meter that is wanted,
// at a server if it was given so, or if a server on this machine has it. All commands
// that measure get it from here.
func (s *session) liveSource(ctx context.Context, sc meter.StreamConfig, rec meter.Recovery) (measure.Source, error) {
	if t := s.meter.Meant(); t.Kind == meter.Served {
		return s.served(ctx, t, sc, rec)
	}
	cfg := s.meter
	var found meter.Target
	cfg.Claim = func(t meter.Target) (func() error, error) {
		found = t
		return s.meter.Claim(t)
	}
	src, err := meter.Supervise(ctx, cfg, sc, rec)
	if err == nil {
		return src, nil
	}
	if src, ok := s.throughServer(ctx, found, err, sc, rec); ok {
		return src, nil
	}
	if s.meter.Meant().Kind == meter.Any && (errors.Is(err, meter.ErrNotFound) || errors.Is(err, meter.ErrNotReady)) {
		if server, ok := s.serverHere(ctx); ok {
			return s.servedHere(ctx, meter.Target{Kind: meter.Served, Server: server}, sc, rec)
		}
	}
	return nil, err // a nil *Supervised would be a Source
}

// source opens what a command that only reads is to measure: a live source, or a
// file of what a meter recorded, which is known by its content.
func (s *session) source(ctx context.Context, sc meter.StreamConfig, rec meter.Recovery) (measure.Source, error) {
	if path, ok := recording(s.meter.Target); ok {
		head, err := beginning(path)
		switch {
		case err != nil:
			return nil, err // it names the path
		case meter.IsLog(head):
			return meter.OpenReplay(ctx, path, sc)
		}
		return nil, &meter.Error{Kind: meter.ErrUsage, Op: "open " + path, Err: errNoRecording}
	}
	return s.liveSource(ctx, sc, rec)
}

var errNoRecording = fmt.Errorf("it is neither a serial line, nor a recording, nor a log of powerspy.py or powerspycli")

// recording returns the path of the regular file that a target names, if it does.
func recording(t meter.Target) (path string, ok bool) {
	switch t.Kind {
	case meter.Serial:
		path = t.Path
	case meter.Named:
		path = t.Name // a file here, without a slash
	default:
		return "", false
	}
	info, err := os.Stat(path)
	return path, err == nil && info.Mode().IsRegular()
}

// beginning returns the first kilobytes of a file.
func beginning(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	head, err := io.ReadAll(io.LimitReader(f, 64<<10))
	return head, err
}
