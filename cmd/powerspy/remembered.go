package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"powerspy2/internal/serve/client"
	"powerspy2/meter"
	"powerspy2/record"
)

// isServer reports whether an argument that may be a file is a meter at a server.
func isServer(name string) bool {
	t, err := meter.ParseTarget(name)
	return err == nil && t.Kind == meter.Served
}

// remembered fetches what a server remembers of a meter into a file, which done removes.
func (s *session) remembered(ctx context.Context, server string) (file readable, done func(), err error) {
	t, err := meter.ParseTarget(server)
	if err != nil {
		return file, nil, err
	}
	login, err := s.login(t.Server)
	if err != nil {
		return file, nil, err
	}
	dir, err := os.MkdirTemp("", "powerspy-")
	if err != nil {
		return file, nil, err
	}
	done = func() { _ = os.RemoveAll(dir) } // nobody needs it
	file.given, file.path = server, filepath.Join(dir, "remembered.jsonl.zst")
	file.name, err = s.writeRemembered(ctx, login, file.path)
	if err != nil {
		done()
		return file, nil, err
	}
	return file, done, nil
}

// writeRemembered is remembered for a login and a file. It returns what the server calls the
// meter.
func (s *session) writeRemembered(ctx context.Context, login client.Login, path string) (name string, err error) {
	s.progress.Working("fetching what " + login.Server.String() + " remembers")
	defer s.progress.End()
	f, err := record.OpenFile(ctx, path, record.FileConfig{})
	if err != nil {
		return "", err
	}
	from := client.New(login)
	defer from.Close()
	m, err := from.Remembered(ctx, f)
	return m.Name, errors.Join(err, f.Close())
}
