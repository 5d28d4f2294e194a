package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"

	"powerspy2/internal/config"
	"powerspy2/internal/owner"
	"powerspy2/internal/shell"
)

// A configError is a configuration that can't be used.
type configError struct{ err *config.Error }

func (e *configError) Unwrap() error { return e.err }

// Error says where the fault is, and whose the file is where that is somebody
// else's.
func (e *configError) Error() string {
	if user, mine := owner.OfFile(e.err.File); user != "" && !mine {
		return fmt.Sprintf("%v (the file belongs to %s)", e.err, user)
	}
	return e.err.Error()
}

// configAdvice says what to do about a configuration that can't be used.
func configAdvice(e *configError) string {
	file := e.err.File
	_, mine := owner.OfFile(file)
	switch {
	case errors.Is(e.err, fs.ErrPermission) && mine:
		return "type `chmod u+r " + shell.Quote(file) + "`"
	case errors.Is(e.err, fs.ErrPermission):
		return fmt.Sprintf("ask an administrator to run `sudo chown %s %s`, or name a meter with --device", userName(), shell.Quote(file))
	case e.err.Line > 0:
		return fmt.Sprintf("correct that line, or name a meter with --device, or start again with `mv %s %s` and `powerspy setup`", shell.Quote(file), shell.Quote(file+".old"))
	case errors.Is(e.err, config.ErrNotRegular):
		return "name a meter with --device, or move it away"
	}
	return "name a meter with --device"
}

func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

// loadConfig reads the configuration, which is empty when that fails.
func (s *session) loadConfig() error {
	s.config = &config.Config{}
	path, err := config.Path(s.env.getenv)
	if err != nil {
		return nil // a user without a home, as services may be, has none
	}
	s.configPath = path
	c, err := config.Load(path)
	if broken, ok := errors.AsType[*config.Error](err); ok {
		return &configError{broken}
	}
	if err != nil {
		return err
	}
	for _, u := range c.Unknown {
		s.progress.Line("%v; it is ignored", u)
	}
	s.config = c
	return nil
}
