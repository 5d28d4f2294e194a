package logfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"powerspy2/internal/patherr"
)

// Config says how a file is kept.
type Config struct {
	// Sync is how long a line may stay in the memory of the machine, where a
	// power failure takes it, before it is forced to the disk. 0: as long as
	// the system likes, half a minute usually.
	Sync time.Duration

	// Claim keeps a second writer away from the file with this key, and returns
	// what ends that; its error is that of Open. nil: nobody is kept away.
	Claim func(key string) (release func() error, err error)

	// Check refuses a file that is not one of these lines: it is not touched,
	// and the error is that of Open. It is not asked about an empty file. nil:
	// any text will do.
	Check func(Content) error

	// Whole returns how many of the first size bytes of a file are whole, where it
	// does not consist of lines of text; its error is that of Open. What follows
	// them is cut off. nil: it does.
	Whole func(r io.ReaderAt, size int64) (int64, error)

	// Mark says what the lines are, for the Content of later runs: a new file
	// gets it as an extended attribute, where its file system has those.
	Mark string

	fsync func(*os.File) error // for tests; nil: (*os.File).Sync
}

// A File appends lines to a file. Its methods may be called concurrently.
type File struct {
	path   string
	config Config

	// Serialises Reopen and Close, which must not hold up Write while they wait
	// for the disk.
	reopening sync.Mutex

	mu       sync.Mutex // guards what follows, and serialises writes
	now      *opened    // nil: closed
	header   []byte
	buf      []byte // a header and its first line
	unsynced bool   // something was written since the last sync began
	syncErr  error  // of the goroutine that syncs, not yet told

	// The goroutine that syncs, if there is one; Close waits for it.
	dirty         chan struct{} // something is unsynced
	stop, stopped chan struct{}
}

// Open opens a file to append lines to, and makes it if there is none. See Cut
// for what became of a torn last line.
//
// It waits, as long as ctx allows, only for a named pipe that nobody reads yet.
// Errors are those of config.Claim and config.Check, ErrNotText, ctx.Err(), and
// those of the system.
func Open(ctx context.Context, path string, config Config) (*File, error) {
	if config.fsync == nil {
		config.fsync = (*os.File).Sync
	}
	now, err := config.open(ctx, path, nil)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, config: config, now: now}
	f.syncName(now)
	if config.Sync > 0 {
		f.dirty, f.stop, f.stopped = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
		go f.syncLoop()
	}
	return f, nil
}

// Cut returns how many bytes of a torn last line were cut off when the file was
// opened, or opened again.
func (f *File) Cut() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now == nil {
		return 0
	}
	return f.now.cut
}

// Content returns what was in the file when it was opened, or opened again. It
// is empty for a new file.
func (f *File) Content() Content {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now == nil {
		return Content{}
	}
	return f.now.content
}

// SetHeader sets the line, or lines, that stand at the start of a file. Write
// puts them in front of the first line of each file that is empty: a new one, or
// the one after a rotation. nil means none, which is the default.
func (f *File) SetHeader(lines []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.header = append([]byte(nil), lines...)
}

// Write appends lines, the last of which has to end in a newline, or what
// [Config.Whole] takes for whole, with one write(2). When that fails, because the disk is full, say, none of them is in
// the file: what was written of them is cut off again.
//
// An error of an earlier sync is told here, with n == len(lines).
func (f *File) Write(lines []byte) (n int, err error) {
	if len(lines) == 0 || f.config.Whole == nil && lines[len(lines)-1] != '\n' {
		return 0, errors.New("half a line was to be written")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now
	if now == nil {
		return 0, fs.ErrClosed
	}
	if err := now.mend(); err != nil {
		return 0, err
	}
	p := lines
	if now.empty && len(f.header) > 0 {
		f.buf = append(append(f.buf[:0], f.header...), lines...)
		p = f.buf
	}
	if n, err := now.w.Write(p); err != nil {
		if cerr := now.failed(n); cerr != nil {
			return 0, fmt.Errorf("%w; %w", patherr.Bare(err), cerr)
		}
		return 0, patherr.Bare(err)
	}
	now.empty = false
	if f.dirty != nil && !f.unsynced {
		f.unsynced = true
		select {
		case f.dirty <- struct{}{}:
		default: // it is awake
		}
	}
	err, f.syncErr = f.syncErr, nil
	return len(lines), err
}

// Reopen opens the file by its name again, for log rotation: after the old file
// was moved away lines go to a new one. When that can't be opened they go on to
// the old one, and the error says why. A file that still has its name is kept.
// Lines are never lost, and Write waits only for the switch.
func (f *File) Reopen(ctx context.Context) error {
	f.reopening.Lock()
	defer f.reopening.Unlock()
	f.mu.Lock()
	old := f.now
	f.mu.Unlock()
	if old == nil {
		return fs.ErrClosed
	}
	next, err := f.config.open(ctx, f.path, old)
	if err != nil {
		return err
	}
	if next == nil {
		return f.again(old)
	}
	f.syncName(next)
	f.mu.Lock()
	f.now, f.unsynced = next, false
	err = old.mend()
	f.mu.Unlock()
	return errors.Join(err, f.close(old))
}

// again takes a new look at the file that Reopen has found in its place: some
// programs rotate by copying it and making it empty.
func (f *File) again(now *opened) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now.cut = 0
	info, err := now.file.Stat()
	if err != nil {
		return patherr.Bare(err)
	}
	now.empty = now.regular && info.Size() == 0
	if now.empty {
		now.content = Content{}
	}
	return nil
}

// Close forces the last lines to the disk, if Sync was asked for, and closes the
// file.
func (f *File) Close() error {
	f.reopening.Lock()
	defer f.reopening.Unlock()
	f.mu.Lock()
	old := f.now
	f.now = nil
	f.mu.Unlock()
	if old == nil {
		return fs.ErrClosed
	}
	if f.stop != nil {
		close(f.stop)
		<-f.stopped
	}
	// Nobody else has them any more.
	return errors.Join(f.syncErr, old.mend(), f.close(old))
}

// close closes a file that nothing is written to any more.
func (f *File) close(o *opened) error {
	var err error
	if f.config.Sync > 0 && o.regular {
		err = syncError(f.config.fsync(o.file))
	}
	return errors.Join(err, patherr.Bare(o.file.Close()), o.unclaim())
}

// syncLoop forces lines to the disk no later than config.Sync after the first of
// them was written, also when no further one comes.
func (f *File) syncLoop() {
	defer close(f.stopped)
	for {
		select {
		case <-f.dirty:
		case <-f.stop:
			return
		}
		timer := time.NewTimer(f.config.Sync)
		select {
		case <-timer.C:
		case <-f.stop:
			timer.Stop()
			return
		}
		f.sync()
	}
}

// sync forces to the disk what was written so far. Lines can be written
// meanwhile: a disk may take seconds.
func (f *File) sync() {
	f.mu.Lock()
	now, unsynced := f.now, f.unsynced
	f.unsynced = false
	f.mu.Unlock()
	if now == nil || !unsynced || !now.regular {
		return
	}
	// Whoever has closed the file has synced it too.
	if err := f.config.fsync(now.file); err != nil && !errors.Is(err, fs.ErrClosed) {
		f.mu.Lock()
		f.syncErr = syncError(err)
		f.mu.Unlock()
	}
}

// syncName forces the name of a new file to the disk, without which a power
// failure would take the file whatever of it was forced there. The directory of
// the file may be one that this user can't open: then that is up to the system.
func (f *File) syncName(o *opened) {
	if f.config.Sync == 0 || !o.regular || !o.empty {
		return
	}
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return
	}
	defer dir.Close()
	_ = f.config.fsync(dir)
}

func syncError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("flushing it to the disk: %w", patherr.Bare(err))
}
