package meter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"powerspy2/powerspy"
)

// ErrNoFile means that the meter's SD card has no file of that name. It is a
// usage error, too.
var ErrNoFile = fmt.Errorf("%w: no such file on the SD card", ErrUsage)

// Files lists the files on the SD card. V1 meters have none:
// [powerspy.ErrNotSupported].
func (m *Meter) Files(ctx context.Context) (*powerspy.FileList, error) {
	list, err := m.client.ListFiles(ctx, m.generation())
	return list, m.explain("list the files", err)
}

// File finds a file on the SD card by its name, in whatever case. The error is
// [ErrNoFile] when there is none, else one of [Meter.Files].
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
	return powerspy.File{}, &Error{
		Kind: ErrUsage, Op: "find " + name + " on " + m.target.String(), Err: ErrNoFile, Next: "`powerspy files list` lists them",
	}
}

// FetchFile copies a file of the SD card to the local file dst, which appears,
// or replaces an older one, only when it is whole. progress, if not nil, is
// told the bytes so far. Ending ctx leaves the meter usable. What fails on this
// machine wraps the system's error (a full disk is ENOSPC); what fails on the
// meter is as of [powerspy.Client.ReadFile].
func (m *Meter) FetchFile(ctx context.Context, f powerspy.File, dst string, progress func(int64)) error {
	err := writeWhole(dst, func(w io.Writer) error {
		return m.client.ReadFile(ctx, m.generation(), f, w, progress)
	})
	var p *os.PathError
	if errors.As(err, &p) && !errors.Is(err, powerspy.ErrLink) {
		return fmt.Errorf("fetch %s to %s: %w", f.Name, dst, p.Err)
	}
	return m.explain("fetch "+f.Name, err)
}

// HasFile tells whether dir has f whole already, as far as its size tells. A
// log that is being written keeps growing, and is fetched again.
func HasFile(dir string, f powerspy.File) bool {
	info, err := os.Stat(filepath.Join(dir, f.Name))
	return err == nil && info.Mode().IsRegular() && info.Size() == f.Size
}

// RemoveFile deletes a file from the SD card. A meter that does not have it
// refuses: [powerspy.ErrRefused]. V1 meters have no SD card:
// [powerspy.ErrNotSupported].
func (m *Meter) RemoveFile(ctx context.Context, f powerspy.File) error {
	return m.explain("remove "+f.Name, m.client.DeleteFile(ctx, m.generation(), f.Name))
}
