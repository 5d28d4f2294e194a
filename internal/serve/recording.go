package serve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

// A recorder keeps what a meter measures in files, one for each day. It reads from
// the meter's hub as others do: a disk that is slow holds up nobody.
type recorder struct {
	meter *Meter
	dir   string
	claim func(key string) (release func() error, err error)
	log   func(line string)

	file   *record.File // nil: none is open
	day    string       // that it is for
	header int          // number of the header that was written
	failed bool         // and told
}

// retryFile is after how long a file is opened again that could not be written.
// What comes meanwhile is remembered.
const retryFile = 10 * time.Second

// run records until the end of the hub, or until ctx ends.
func (r *recorder) run(ctx context.Context, in *measure.HubReader) {
	defer in.Close()
	defer r.close()
	for {
		item, err := in.Next(ctx)
		if err != nil {
			return
		}
		for {
			err := r.write(ctx, &item)
			if err == nil {
				break
			}
			r.tell(err)
			r.close()
			select {
			case <-time.After(retryFile):
			case <-ctx.Done():
				return
			}
		}
	}
}

// write writes an item to the file of its day.
func (r *recorder) write(ctx context.Context, item *measure.HubItem) error {
	h, number, known := r.meter.Header()
	if !known {
		return nil // nothing was measured yet
	}
	if item.Mark == nil && item.Event.Kind == meter.WindowEvent {
		if day := item.Event.Window.End.Local().Format(time.DateOnly); day != r.day {
			r.close()
			r.day = day
		}
	}
	if r.day == "" {
		return nil
	}
	if r.file == nil {
		if err := r.open(ctx, h); err != nil {
			return err
		}
		r.header = number
	}
	if number != r.header {
		if err := r.file.Begin(h); err != nil {
			return err
		}
		r.header = number
	}
	if item.Mark != nil {
		return r.file.Mark(*item.Mark)
	}
	return r.file.Event(&item.Event)
}

// open opens the file of the day. Where it is of another meter of this name there is
// one more.
func (r *recorder) open(ctx context.Context, h record.Header) error {
	h.Start = time.Now()
	base := filepath.Join(r.dir, fileName(r.meter.Name())+"-"+r.day)
	for _, name := range [...]string{base, fmt.Sprintf("%s-%d", base, h.Meter.Serial)} {
		name += ".jsonl.zst"
		f, err := record.OpenFile(ctx, name, record.FileConfig{Claim: r.claim})
		if err != nil {
			return fmt.Errorf("recording %s: %w", name, err)
		}
		if n := f.Cut(); n > 0 {
			r.log(fmt.Sprintf("recording %s: cut off what a crash had left at its end, %d bytes", name, n))
		}
		err = f.Begin(h)
		if err == nil {
			r.file = f
			if r.failed {
				r.failed = false
				r.log("recording " + name + " again")
			}
			return nil
		}
		err = errors.Join(err, f.Close())
		if _, other := errors.AsType[*record.OtherMeterError](err); !other {
			return fmt.Errorf("recording %s: %w", name, err)
		}
	}
	return fmt.Errorf("recording %s: it holds recordings of other meters", base)
}

// fileName returns a meter's name as that of a file.
func fileName(meter string) string {
	name := url.PathEscape(meter)
	if len(name) > 200 || strings.HasPrefix(name, ".") {
		sum := sha256.Sum256([]byte(meter))
		name = hex.EncodeToString(sum[:])
	}
	return name
}

// tell tells the first of failures that follow each other.
func (r *recorder) tell(err error) {
	if !r.failed {
		r.failed = true
		r.log(fmt.Sprintf("%v; measuring goes on, and it is tried again every %v", err, retryFile))
	}
}

func (r *recorder) close() {
	if r.file == nil {
		return
	}
	if err := r.file.Close(); err != nil {
		r.tell(err)
	}
	r.file = nil
}
