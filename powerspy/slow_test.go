package powerspy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A meter that trickles gets no endless time: answers of any length end, also
// those in which the next byte is always in time.
func TestTrickle(t *testing.T) {
	tests := map[string]struct {
		begins string // at once, then a byte a second
		do     func(context.Context, *Client) error
		within time.Duration
	}{
		"list": {"<" + strings.Repeat("120906.DAT:7FE/", 20), func(ctx context.Context, c *Client) error {
			_, err := c.ListFiles(ctx)
			return err
		}, 15 * time.Second},
		"file": {"<", func(ctx context.Context, c *Client) error {
			return c.ReadFile(ctx, File{"120906.DAT", 1 << 20}, io.Discard, nil)
		}, 2 * time.Minute},
		"capture": {"<A" + strings.Repeat("0", 300), func(ctx context.Context, c *Client) error {
			_, err := c.ReadCapture(ctx, 100)
			return err
		}, 15 * time.Second},
		"binary capture": {"<B", func(ctx context.Context, c *Client) error {
			_, err := c.ReadCaptureBinary(ctx, 100)
			return err
		}, 2 * time.Minute},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				host, meter := net.Pipe()
				c := NewClient(host, nil)
				var wg sync.WaitGroup
				wg.Go(func() { trickle(meter, tt.begins) })
				start := time.Now()
				err := tt.do(t.Context(), c)
				if took := time.Since(start); err == nil || !isTransient(err) || took > tt.within {
					t.Errorf("ended after %v: %v", took, err)
				}
				if err := errors.Join(c.Close(), meter.Close()); err != nil {
					t.Error(err)
				}
				wg.Wait()
			})
		})
	}
}

// trickle answers ? and, to the first other request, begins and then a byte a
// second for ever.
func trickle(meter net.Conn, begins string) {
	var request []byte
	for buf := make([]byte, 64); ; {
		n, err := meter.Read(buf)
		if err != nil {
			return
		}
		request = append(request, buf[:n]...)
		if !bytes.HasSuffix(request, []byte(">")) {
			continue
		}
		if string(request) != "<?>" {
			break
		}
		request = nil
		if _, err := io.WriteString(meter, "<"+v2Identity+">\n\r"); err != nil {
			return
		}
	}
	// Whatever else is asked is heard, and not answered.
	go func() { _, _ = io.Copy(io.Discard, meter) }()
	for text := begins; ; text = "0" {
		if _, err := io.WriteString(meter, text); err != nil {
			return
		}
		<-time.After(time.Second)
	}
}
