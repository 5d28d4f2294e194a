package bridge

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
)

// What a client begins with, however it is cut, is a request or not.
func TestOpening(t *testing.T) {
	for text, good := range map[string]bool{
		"<?>": true, "<Q>": true, "\r\n<V00>": true, "\n\r <J0001>": true, "<X120906 0000>": true,
		"POST / HTTP/1.1\r\nHost: x\r\n\r\n<W0041>": false, "GET /<?> HTTP/1.1\r\n": false, "AT\r": false, "\x16\x03\x01<Q>": false,
		"<html><W0041>": false, "<w0041>": false, "<>": false, "<<Q>": false, strings.Repeat("\r\n", 40): false,
	} {
		for size := 1; size <= len(text); size++ {
			var o opening
			var passed string
			ok := true
			for rest := text; rest != "" && ok; {
				n := min(size, len(rest))
				var pass []byte
				pass, ok = o.take([]byte(rest[:n]))
				passed, rest = passed+string(pass), rest[n:]
			}
			want := ""
			if good {
				want = text
			}
			if ok != good || passed != want {
				t.Errorf("%q in pieces of %d: ok %v, passed on %q", text, size, ok, passed)
			}
		}
	}
}

// A web page can make a browser send what it likes to a port of this machine.
// The meter hears nothing of it, and the next program is served.
func TestWebPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := run(t, quiet)
		for _, said := range []string{"POST / HTTP/1.1\r\nContent-Length: 7\r\n\r\n<W0041>", "\r\n\r\nPUT <W0041>"} {
			c, far := net.Pipe()
			done := make(chan error, 1)
			go func() { done <- b.Client(t.Context(), far) }()
			if _, err := io.WriteString(c, said); err != nil && !errors.Is(err, io.ErrClosedPipe) {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(c); len(got) > 0 || err != nil {
				t.Errorf("%q: it was answered %q, %v", said, got, err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		c, _ := client(t, b)
		if got := ask(t, c, bufio.NewReader(c), "<V00>"); got != "<01>" {
			t.Errorf("the EEPROM begins with %s", got)
		}
	})
}
