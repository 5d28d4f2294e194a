// Package xdg says where a user keeps this program's files (XDG Base Directory
// Specification).
package xdg

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Config returns the directory of what the user has set. getenv is os.Getenv.
// It is an error when the environment does not say where that is.
func Config(getenv func(string) string) (string, error) {
	return directory(getenv, "XDG_CONFIG_HOME", ".config")
}

// State returns the directory of what is to outlast a run, and is nothing that
// the user has written. Errors are as for Config.
func State(getenv func(string) string) (string, error) {
	return directory(getenv, "XDG_STATE_HOME", ".local/state")
}

// Cache returns the directory of what can be done without. Errors are as for
// Config.
func Cache(getenv func(string) string) (string, error) {
	return directory(getenv, "XDG_CACHE_HOME", ".cache")
}

// directory is powerspy below what the variable names, else below the place in
// the home directory that stands for it.
func directory(getenv func(string) string, variable, inHome string) (string, error) {
	parent := getenv(variable)
	if !filepath.IsAbs(parent) { // which is to be ignored ("Basics")
		home := getenv("HOME")
		switch {
		case home == "":
			return "", errors.New("neither " + variable + " nor HOME is set")
		case !filepath.IsAbs(home):
			return "", fmt.Errorf("HOME is %q, which is not an absolute path", home)
		}
		parent = filepath.Join(home, inHome)
	}
	return filepath.Join(parent, "powerspy"), nil
}
