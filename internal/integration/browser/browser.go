package browser

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// chromium is the program, which scripts/test.sh installs.
const chromium = "chromium"

// startTime is what starting it may take, on a machine that is busy.
const startTime = 2 * time.Minute

var shared struct {
	once   sync.Once
	ctx    context.Context
	cancel context.CancelFunc
	err    error
}

// Main runs the tests of a package, and ends the browser after them.
func Main(m *testing.M) int {
	defer func() {
		if shared.cancel != nil {
			shared.cancel()
		}
	}()
	return m.Run()
}

// start starts the browser, once.
func start() (context.Context, error) {
	shared.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
			chromedp.WSURLReadTimeout(startTime),
			chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-background-networking", true),
		)
		allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, cancel := chromedp.NewContext(allocator)
		shared.ctx = ctx
		shared.cancel = func() { cancel(); cancelAllocator() }
		shared.err = chromedp.Do(ctx) // which starts it
		if shared.err != nil {
			shared.err = errors.Join(shared.err, errors.New("scripts/test.sh installs Chromium"))
		}
	})
	return shared.ctx, shared.err
}
