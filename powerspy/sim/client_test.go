package sim

import (
	"io"
	"math"
	"net"
	"strings"
	"testing"
	"time"
)

// A client is the tests' end of a connection, written without the project's
// own client. It keeps every frame with the time of its arrival.
type client struct {
	t *testing.T
	net.Conn
	rest   []byte    // Received but not looked at.
	arrive time.Time // When rest was received.
	reads  int
}

func dial(t *testing.T, m *Meter) *client {
	t.Helper()
	conn, err := m.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, Conn: conn}
}

func (c *client) send(request string) {
	c.t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		c.t.Fatalf("send %q: %v", request, err)
	}
}

// frame returns the next frame, brackets included, and when it came; "" if
// there is none within wait.
func (c *client) frame(wait time.Duration) (string, time.Time) {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		c.t.Fatal(err)
	}
	for {
		s := string(c.rest)
		if i := strings.IndexByte(s, '>'); i >= 0 {
			c.rest = c.rest[i+1:]
			if j := strings.LastIndexByte(s[:i], '<'); j >= 0 {
				return s[j : i+1], c.arrive
			}
			continue
		}
		buf := make([]byte, 4096)
		n, err := c.Read(buf)
		if err != nil {
			return "", time.Time{}
		}
		c.reads++
		c.arrive = time.Now()
		c.rest = append(c.rest, buf[:n]...)
	}
}

// ask returns the frame that follows a request; "" for none within a second.
func (c *client) ask(request string) string {
	c.t.Helper()
	c.send(request)
	got, _ := c.frame(time.Second)
	return got
}

// want fails the test unless a request is answered so.
func (c *client) want(request, answer string) {
	c.t.Helper()
	if got := c.ask(request); got != answer {
		c.t.Errorf("%s answered %q, want %q", request, got, answer)
	}
}

func (c *client) close() {
	c.t.Helper()
	if err := c.Close(); err != nil {
		c.t.Error(err)
	}
}

// near reports whether two numbers differ by no more than a part of the second.
func near(got, want, part float64) bool {
	return math.Abs(got-want) <= part*math.Abs(want)
}

// measurement reports whether a frame is one of real-time mode.
func measurement(frame string) bool { return len(frame) == 38 && strings.Count(frame, " ") == 4 }
