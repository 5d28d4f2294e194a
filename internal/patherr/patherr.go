// Package patherr takes the path out of errors of the file system, where the
// error around them names it.
package patherr

import (
	"errors"
	"io/fs"
)

// Bare returns what is below the operation and the path of a [*fs.PathError] in
// err; err itself if there is none.
func Bare(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
