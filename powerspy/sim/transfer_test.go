package sim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/powerspy"
	"powerspy2/powerspy/sim"
)

// longestStall is after how long no answer of before is under way any more.
const longestStall = 5 * time.Second

// transfer reads all files of m and compares them. A link that is bad at random may be
// too bad once, which has to be told, and not twice.
func transfer(t *testing.T, c *powerspy.Client, m *sim.Meter) {
	t.Helper()
	for _, f := range m.Files() {
		var b bytes.Buffer
		var told int64
		file := powerspy.File{Name: f.Name, Size: int64(len(f.Content))}
		err := c.ReadFile(t.Context(), file, &b, func(n int64) { told = n })
		if err != nil {
			t.Logf("%d bytes: %v", file.Size, err)
			b.Reset()
			time.Sleep(longestStall)
			err = c.ReadFile(t.Context(), file, &b, func(n int64) { told = n })
		}
		if err != nil {
			t.Errorf("%d bytes: %v", file.Size, err)
			continue
		}
		if !bytes.Equal(b.Bytes(), f.Content) || told != file.Size {
			t.Errorf("%d bytes: got %d others, told %d", file.Size, b.Len(), told)
		}
	}
}

// Files of awkward sizes, with a content that looks like answers, arrive as
// they are, whatever the link does.
func TestTransfer(t *testing.T) {
	for _, s := range []string{
		"", "lose=0.02", "lose=0.02,seed=2", "lose=0.02,eol=none", "lose=0.02,eol=lf", "files=5000/99999,lose=0.02,chop",
		// Answers that come only after they have been asked for again.
		"stall=0.02,stallmin=1s,stallmax=5s", "files=0/1/2046/2047/2048/4094/5000/99999,stall=0.02,stallmin=2s,stallmax=3s,lose=0.02,chop,seed=3",
	} {
		t.Run(s, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := sim.New(spec(t, s))
				transfer(t, connect(t, m), m)
			})
		})
	}
}

// On a link so bad that transfers fail, none of them claims to have worked
// that did not.
func TestTransferNeverWrong(t *testing.T) {
	good, bad := 0, 0
	for seed := range 40 {
		synctest.Test(t, func(t *testing.T) {
			m := sim.New(spec(t, fmt.Sprintf("files=5000/30000,stall=0.1,stallmin=1s,stallmax=10s,lose=0.05,seed=%d", seed)))
			c := connect(t, m)
			for _, f := range m.Files() {
				var b bytes.Buffer
				err := c.ReadFile(t.Context(), powerspy.File{Name: f.Name, Size: int64(len(f.Content))}, &b, nil)
				switch {
				case err != nil:
					bad++
				case !bytes.Equal(b.Bytes(), f.Content):
					t.Errorf("seed %d: wrong bytes", seed)
				default:
					good++
				}
			}
		})
	}
	if good < 10 || bad < 10 {
		t.Errorf("%d transfers worked, %d failed: this tests little", good, bad)
	}
}

// A quick link has no delay but loses answers.
const quickLink = "lose=0.02,delay=0,jitter=0,stall=0"

// quickTimeout is the client's time-out on it: in real time every lost answer
// costs one. An answer that is later yet can end a transfer.
const quickTimeout = time.Second

// The same over TCP, in real time.
func TestTransferTCP(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	m := sim.New(spec(t, quickLink))
	done := make(chan error)
	go func() { done <- m.Serve(ctx, l) }()
	defer func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	link, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := powerspy.NewClient(link, &powerspy.Config{Timeout: quickTimeout})
	defer c.Close()
	transfer(t, c, m)
}

// readBlocks reads what ReadFile would, as fast as asking and answering by
// turns can be, and believes whatever comes.
func readBlocks(t *testing.T, link io.ReadWriter, f sim.File) {
	t.Helper()
	const size = 2048
	buf := make([]byte, size)
	for k, left := 0, len(f.Content)+2; left > 0; k, left = k+1, left-size {
		if _, err := fmt.Fprintf(link, "<X%s %04X>", f.Name[:6], k); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(link, buf[:min(left, size)]); err != nil {
			t.Fatal(err)
		}
	}
}

// A transfer takes at most a quarter longer than its bare blocks on the same
// link: what proves that nothing is missing costs a few exchanges a file. The
// clock is the test's own, so the figures are exact.
func TestTransferThroughput(t *testing.T) {
	for _, link := range []string{"delay=25ms,jitter=0,stall=0", "jitter=12ms,stall=0", "stall=0.02"} {
		t.Run(link, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := sim.New(spec(t, link))
				files := m.Files()
				f := files[len(files)-1] // the long one
				raw, err := m.Dial(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				readBlocks(t, raw, f)
				bare := time.Since(begun)
				if err := raw.Close(); err != nil {
					t.Fatal(err)
				}

				c := connect(t, m)
				var b bytes.Buffer
				begun = time.Now()
				if err := c.ReadFile(t.Context(), powerspy.File{Name: f.Name, Size: int64(len(f.Content))}, &b, nil); err != nil {
					t.Fatal(err)
				}
				whole := time.Since(begun)
				if !bytes.Equal(b.Bytes(), f.Content) {
					t.Error("other bytes")
				}
				share := bare.Seconds() / whole.Seconds()
				t.Logf("%d bytes in %v, bare blocks in %v: %.1f %%", b.Len(), whole, bare, 100*share)
				if share < 0.8 {
					t.Errorf("%.1f %% of what the link carries", 100*share)
				}
			})
		})
	}
}
