package meter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"powerspy2/powerspy"
)

// ErrNoFile means that the meter's SD card has no file of that name.
var ErrNoFile = errors.New("no such file on the SD card")

// Files lists the files on the SD card. V1 meters have none:
// [powerspy.ErrNotSupported].
func (m *Meter) Files(ctx context.Context) (*powerspy.FileList, error) {
	list, err := m.client.ListFiles(ctx)
	return list, m.explain("list the files", err)
}

// File finds a file on the SD card by its name, in whatever case. When there is
// none, the error is [ErrNoFile], and [ErrUsage]; else it is one of [Meter.Files].
func (m *Meter) File(ctx context.Context, name string) (powerspy.File, error) {
	list, err := m.Files(ctx)
	if err != nil {
		return powerspy.File{}, err
	}
	for _, f := range list.Files {
		if strings.EqualFold(f.Name, name) {
			return f, nil
		}
	}
	return powerspy.File{}, &Error{Kind: ErrUsage, Op: fmt.Sprintf("find %q on %v", name, m.target), Err: ErrNoFile}
}

// FetchFile copies a file of the SD card to w. progress, if not nil, is told the
// bytes so far. Ending ctx leaves the meter usable. What w fails with is
// returned as it is; what fails on the meter is as of
// [powerspy.Client.ReadFile].
func (m *Meter) FetchFile(ctx context.Context, f powerspy.File, w io.Writer, progress func(int64)) error {
	local := &localWriter{w: w}
	err := m.client.ReadFile(ctx, f, local, progress)
	if local.err != nil {
		return local.err
	}
	return m.explain("fetch "+f.Name, err)
}

// A localWriter keeps the error of writing, which is not an error of the meter's.
type localWriter struct {
	w   io.Writer
	err error
}

func (l *localWriter) Write(p []byte) (n int, err error) {
	n, l.err = l.w.Write(p)
	return n, l.err
}

// ErrNotACopy means that something is in the place of a copy that can't be one: a
// symbolic link, a directory.
var ErrNotACopy = errors.New("what is there is not a regular file")

// A Copy is what a local file is, compared to a file on the SD card.
type Copy int

// What a local file can be.
const (
	NoCopy    Copy = iota // nothing is there
	PartCopy              // it begins alike and ends before: the log has grown since
	WholeCopy             // it begins alike and has the same size
	OtherCopy             // it is of another log
)

// CompareFile compares the local file with f: the sizes, and what the first block
// holds. A day's log that was removed and started again has the old name, and
// has the old size as well once it has run as long; its first measurements
// differ. What is not a regular file, such as a symbolic link, is [ErrNotACopy];
// other errors are those of the file system and of [Meter.FetchFile].
func (m *Meter) CompareFile(ctx context.Context, f powerspy.File, local string) (Copy, error) {
	info, err := os.Lstat(local)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return NoCopy, nil
	case err != nil:
		return NoCopy, err
	case !info.Mode().IsRegular():
		return NoCopy, &Error{Kind: ErrUsage, Op: "compare " + f.Name + " with " + local, Err: ErrNotACopy}
	case info.Size() > f.Size:
		return OtherCopy, nil
	case info.Size() > 0:
		if alike, err := m.beginsAs(ctx, f, local); err != nil || !alike {
			return OtherCopy, err
		}
	}
	if info.Size() < f.Size {
		return PartCopy, nil
	}
	return WholeCopy, nil
}

// beginsAs reports whether the first block of f begins as the local file does.
func (m *Meter) beginsAs(ctx context.Context, f powerspy.File, local string) (bool, error) {
	r, err := os.Open(local)
	if err != nil {
		return false, err
	}
	defer r.Close()
	err = m.client.ReadFile(ctx, f, comparer{r}, nil)
	switch {
	case errors.Is(err, errAlike):
		return true, nil
	case errors.Is(err, errDiffers):
		return false, nil
	}
	return false, m.explain("compare "+f.Name, err)
}

// A comparer ends the transfer of a file after the first block, with errAlike
// or errDiffers.
type comparer struct{ local io.Reader }

var (
	errAlike   = errors.New("the first block is that of the local file")
	errDiffers = errors.New("the first block is not that of the local file")
)

func (c comparer) Write(block []byte) (int, error) {
	local := make([]byte, len(block))
	n, err := io.ReadFull(c.local, local)
	switch {
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return 0, err
	case !bytes.Equal(local[:n], block[:n]):
		return 0, errDiffers
	}
	return 0, errAlike
}

// RemoveFile deletes a file from the SD card. A meter that does not have it
// refuses: [powerspy.ErrRefused]. V1 meters have no SD card:
// [powerspy.ErrNotSupported].
func (m *Meter) RemoveFile(ctx context.Context, f powerspy.File) error {
	return m.explain("remove "+f.Name, m.client.DeleteFile(ctx, f.Name))
}
