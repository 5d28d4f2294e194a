package sim_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
)

// A terminal lets through any byte of a file, those that mean something to
// terminals among them.
func TestTransferPTY(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	m := sim.New(spec(t, quickLink))
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
	c := powerspy.NewClient(link, &powerspy.Config{Timeout: quickTimeout})
	defer c.Close()
	transfer(t, c, m)
}
