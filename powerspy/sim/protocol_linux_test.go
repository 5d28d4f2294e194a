package sim_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
)

// A terminal lets through any byte of a file, those that mean something to
// terminals among them.
func TestTransferPTY(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	m := sim.New(spec(t, "files=0/1/2046/2047/2048/4094/5000/100000,lose=0.02,delay=0,jitter=0,stall=0"))
	path, wait, err := m.ServePTY(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		if err := wait(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	link, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := powerspy.NewClient(link, &powerspy.Config{Timeout: 500 * time.Millisecond})
	defer c.Close()
	transfer(t, c, m)
}
