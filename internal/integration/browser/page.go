package browser

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds what a test does with a page. It is generous: nothing is judged by it.
const patience = 2 * time.Minute

// A Page is a tab of the browser. What fails ends the test.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	said     []string
	requests []string
}

// NewPage returns an empty page, which is closed with the test.
func NewPage(t testing.TB) *Page {
	t.Helper()
	browser, err := start()
	if err != nil {
		t.Fatal(err)
	}
	tab, closeTab := chromedp.NewContext(browser)
	t.Cleanup(closeTab)
	p := &Page{t: t}
	err = chromedp.Do(tab) // without the timeout, which would be that of the tab
	if err == nil {
		err = chromedp.Listen(tab, p.listen)
	}
	if err != nil {
		t.Fatal(err)
	}
	var cancel context.CancelFunc
	p.ctx, cancel = context.WithTimeout(tab, patience)
	t.Cleanup(cancel)
	call(p, network.Enable, network.EnableParams{})
	call(p, log.Enable, cdp.Empty{})
	return p
}

// call calls a command of the protocol.
func call[P, R any](p *Page, command cdp.Command[P, R], params P) {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, command, params); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Page) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		words := []string{"console." + e.Type.String() + ":"}
		for _, a := range e.Args {
			if a.Description != "" {
				words = append(words, a.Description)
			} else {
				words = append(words, string(a.Value))
			}
		}
		p.said = append(p.said, strings.Join(words, " "))
	case *runtime.EventExceptionThrown:
		p.said = append(p.said, fmt.Sprintf("%s: %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *log.EventEntryAdded:
		p.said = append(p.said, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, "data:") {
			p.requests = append(p.requests, e.Request.URL)
		}
	}
}

// do carries out steps.
func (p *Page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// result returns what an action does.
func result[T any](p *Page, action chromedp.Action[T]) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, action)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// Said returns what the page has said on the console so far, errors and refusals of
// its policy among them.
func (p *Page) Said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.said)
}

// Requests returns the addresses that were asked for so far, that of the page among them.
func (p *Page) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Open goes to an address and waits until it has been loaded.
func (p *Page) Open(url string) {
	p.t.Helper()
	p.do(chromedp.Navigate(url))
}

// Size gives the page a size in CSS pixels.
func (p *Page) Size(width, height int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, height))
}

// Media emulates a medium, screen or print, and a colour scheme, light or dark.
func (p *Page) Media(medium, scheme string) {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media: medium, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
}

// Eval returns the value of an expression, which may be a promise.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	return result(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Wait waits until an expression is true.
func (p *Page) Wait(expression string) {
	p.t.Helper()
	result(p, chromedp.Poll[bool]("!!("+expression+")", chromedp.WithPollingTimeout(patience)))
}

// Keys types keys into the element that has the focus: characters, or those of
// package kb of chromedp.
func (p *Page) Keys(keys string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...)))
}

// Hover moves the mouse to a place of the window.
func (p *Page) Hover(x, y float64) {
	p.t.Helper()
	p.do(chromedp.MouseEvent(chromedp.MouseMoved, x, y))
}

// Drag drags with the left button.
func (p *Page) Drag(x, y, toX, toY float64) {
	p.t.Helper()
	p.do(chromedp.DragAndDropXY(x, y, toX, toY))
}

// Screenshot returns all of the page as PNG.
func (p *Page) Screenshot() []byte {
	p.t.Helper()
	return result(p, chromedp.FullScreenshot(100))
}

// Print returns the page as PDF.
func (p *Page) Print() []byte {
	p.t.Helper()
	return result(p, chromedp.PrintToPDF(chromedp.PDFPrintBackground(), chromedp.PDFPreferCSSPageSize()))
}
