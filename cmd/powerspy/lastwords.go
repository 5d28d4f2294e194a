package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// lastTime is how long what is told after the end of a context may take.
const lastTime = time.Second

// errUnread is what could not be told any more.
var errUnread = errors.New("its reader has stopped reading")

// lastWords writes, but once ctx has ended it waits for nobody to read: the
// program is told to end, and its reader may be what is stuck.
type lastWords struct {
	w   io.Writer
	ctx context.Context

	mu    sync.Mutex
	stuck chan error // of a write that was left behind; nil: there is none
}

func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stuck != nil {
		select {
		case <-l.stuck:
			l.stuck = nil
		default:
			return 0, errUnread
		}
	}
	ended := make(chan error, 1)
	text := bytes.Clone(p)
	go func() {
		_, err := l.w.Write(text)
		ended <- err
	}()
	var late <-chan time.Time
	over := l.ctx.Done()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return 0, err
			}
			return len(p), nil
		case <-over:
			timer := time.NewTimer(lastTime)
			defer timer.Stop()
			late, over = timer.C, nil
		case <-late:
			l.stuck = ended
			return 0, errUnread
		}
	}
}
