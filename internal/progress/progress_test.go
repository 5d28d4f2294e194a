package progress

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"powerspy2/meter"
)

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.b.Reset()
	return b.b.String()
}

// after advances the bubble's clock and returns what was written meanwhile.
func (b *buffer) after(d time.Duration) string {
	<-time.After(d)
	synctest.Wait()
	return b.take()
}

func TestProgressOnTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		p := &Teller{Out: &out, Terminal: true}
		p.Report(meter.Status{Phase: meter.Discovering, Text: "looking"})
		if got := out.after(900 * time.Millisecond); got != "" {
			t.Errorf("after 0.9 s: %q, want nothing yet", got)
		}
		if got := out.after(150 * time.Millisecond); got != ClearLine+"| looking (1s)" {
			t.Errorf("after 1.05 s: %q", got)
		}
		if got := out.after(time.Second); !strings.HasSuffix(got, "looking (2s)") {
			t.Errorf("after 2.05 s: %q", got)
		}
		p.Line("a line")
		if got := out.take(); got != ClearLine+"powerspy: a line\n" {
			t.Errorf("line: %q", got)
		}
		if got := out.after(150 * time.Millisecond); !strings.HasSuffix(got, "looking (2s)") {
			t.Errorf("after the line: %q", got)
		}
		p.Report(meter.Status{Phase: meter.Pairing, Text: "trying PIN 1234"})
		synctest.Wait()
		if got := out.take(); got != ClearLine+ClearLine+"| trying PIN 1234 (0s)" {
			t.Errorf("pairing: %q", got)
		}
		p.Report(meter.Status{Phase: meter.Streaming, Text: "streaming"})
		if got := out.after(time.Minute); got != ClearLine {
			t.Errorf("streaming: %q, want the line removed and nothing more", got)
		}
		p.End()
		p.End()
	})
}

// A bar is drawn where the end is known, shares its line with what is told
// meanwhile, and is gone at the end.
func TestTransferOnTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		p := &Teller{Out: &out, Terminal: true}
		done := p.Transfer("file 1 of 2, 120906.DAT", 100_000)
		if got := out.after(1050 * time.Millisecond); got != ClearLine+"| file 1 of 2, 120906.DAT" {
			t.Errorf("nothing came in the first second: %q", got)
		}
		for n := int64(10_000); n <= 50_000; n += 10_000 {
			<-time.After(time.Second)
			done(n)
		}
		got := out.after(step)
		last := got[strings.LastIndex(got, ClearLine)+len(ClearLine):]
		if want := " file 1 of 2, 120906.DAT  50% [=======>........] (50/100 kB, 9.0 kB/s) [6s:5s]"; last[1:] != want || len(last) > 79 {
			t.Errorf("half: %q, want %q", last, want)
		}
		p.Line("a line")
		if got := out.take(); got != ClearLine+"powerspy: a line\n" {
			t.Errorf("line: %q", got)
		}
		done(100_000)
		if got := out.after(step); !strings.Contains(got, "100%") {
			t.Errorf("whole: %q", got)
		}
		p.End()
		if got := out.take(); got != ClearLine {
			t.Errorf("end: %q", got)
		}

		done = p.Transfer("empty", 0)
		done(0)
		if got := out.after(1050 * time.Millisecond); got != ClearLine+"| empty" {
			t.Errorf("empty: %q", got)
		}
		p.End()
		out.take()
		p.Transfer("quick", 10)(10)
		p.End()
		if got := out.take(); got != "" {
			t.Errorf("quick: %q, want nothing", got)
		}
	})
}

// Where nobody watches, and where nobody wants it, there is no bar.
func TestTransferElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, p := range []*Teller{{}, {Terminal: true, Quiet: true}} {
			var out buffer
			p.Out = &out
			p.Transfer("file", 100)(10)
			p.Working("reading")
			if got := out.after(time.Minute); got != "" {
				t.Errorf("got %q", got)
			}
			p.End()
		}
	})
}

func TestProgressElsewhere(t *testing.T) {
	var out buffer
	p := &Teller{Out: &out}
	for _, text := range []string{"one", "one", "two"} {
		p.Report(meter.Status{Phase: meter.Connecting, Text: text})
	}
	p.End()
	if got := out.take(); got != "powerspy: one\npowerspy: two\n" {
		t.Errorf("got %q", got)
	}
	p = &Teller{Out: &out, Quiet: true}
	p.Report(meter.Status{Phase: meter.Connecting, Text: "one"})
	p.Line("two")
	if got := out.take(); got != "" {
		t.Errorf("quiet: %q", got)
	}
}

func TestTrace(t *testing.T) {
	var out buffer
	p := &Teller{Out: &out, Quiet: true}
	p.Trace(true, []byte("<?>"))
	p.Trace(false, []byte("<POWERSPY>\n\r\x00\\\xff"))
	if got, want := out.take(), "> <?>\n< <POWERSPY>\\n\\r\\x00\\\\\\xff\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
