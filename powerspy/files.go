package powerspy

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
)

// A File is a log file on the SD card of a meter.
type File struct {
	Name string // six characters and .DAT: 120906.DAT is of 2012-09-06
	Size int64  // in bytes
}

// A FileList is what [Client.ListFiles] returns.
type FileList struct {
	Files []File // in the order of the answer

	// Odd holds the entries that are no file of a log: without a name of six
	// characters and .DAT, with one that another entry has, or without a
	// hexadecimal size after its colon. They are just as the meter sent them.
	Odd []string

	// Raw is the answer as it came, between its < and >.
	Raw []byte
}

// maxList bounds the answer to U: some ten thousand files.
const maxList = 1 << 18

// ListFiles asks for the files on the SD card (request U, §3.4.13). V1 meters
// have no SD card: the error is [ErrNotSupported].
func (c *Client) ListFiles(ctx context.Context) (*FileList, error) {
	const op = "list the files"
	var list *FileList
	err := c.request(ctx, op, func() error {
		if err := c.needs(ctx, V2); err != nil {
			return err
		}
		return c.ask(func() error {
			if err := c.prepare(ctx); err != nil {
				return err
			}
			return c.exchangeLong(ctx, "U", maxList, func(frame []byte) verdict {
				if !isList(frame) {
					return judgeOther(frame)
				}
				list = parseList(frame)
				return accept
			})
		})
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// isList reports whether frame is the answer to U: nothing, or names and sizes.
// No other answer has a colon.
func isList(frame []byte) bool { return len(frame) == 0 || bytes.IndexByte(frame, ':') >= 0 }

// parseList parses name:size/name:size/. Sizes may have lower-case digits, the
// last slash may be missing, and spaces and line ends do not matter. Names are
// compared as file systems do that do not tell cases apart.
func parseList(frame []byte) *FileList {
	list := &FileList{Raw: append([]byte(nil), frame...)}
	seen := map[string]bool{}
	for entry := range strings.SplitSeq(string(frame), "/") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		name, size, _ := strings.Cut(entry, ":")
		n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 32)
		name = strings.TrimSpace(name)
		if _, nameErr := stem(name); err != nil || nameErr != nil || seen[strings.ToUpper(name)] {
			list.Odd = append(list.Odd, entry)
			continue
		}
		seen[strings.ToUpper(name)] = true
		list.Files = append(list.Files, File{Name: name, Size: int64(n)})
	}
	return list
}

// DeleteFile deletes a file from the SD card (request Y, §3.4.14). A name that
// is not six characters and .DAT is [ErrOutOfRange]; a meter that does not
// have the file refuses. V1 meters have no SD card: the error is
// [ErrNotSupported].
func (c *Client) DeleteFile(ctx context.Context, name string) error {
	op := fmt.Sprintf("delete file %q", name)
	if _, err := stem(name); err != nil {
		return &Error{Op: op, Err: err}
	}
	return c.commandV2(ctx, op, "Y"+name)
}

const (
	fileStem = 6
	fileExt  = ".DAT"
)

// stem returns the part of a file name that X asks for. Its characters are those
// that FAT, the file system of SD cards, has in short names, in either case:
// none that leads out of a directory, or disturbs a terminal.
func stem(name string) (string, error) {
	s, ok := strings.CutSuffix(name, fileExt)
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7F || strings.ContainsRune(`."*+,/:;<=>?[\]|`, r) }
	if !ok || len(s) != fileStem || strings.ContainsFunc(s, odd) {
		return "", fmt.Errorf("the name is not six characters and %s: %w", fileExt, ErrOutOfRange)
	}
	return s, nil
}
