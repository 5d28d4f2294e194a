package client

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"time"
)

const (
	// exchangesFirst is how many exchanges come first, for at most firstTime.
	exchangesFirst = 8
	firstTime      = 2 * time.Second

	// exchangeSoon is the time between exchanges until the drift is known, and
	// exchangeEvery after that.
	exchangeSoon  = time.Second
	exchangeEvery = 4 * time.Second
)

// exchange makes an exchange of times.
func (c *Client) exchange(ctx context.Context, k *clock) (times, error) {
	var sent, came time.Duration
	trace := &httptrace.ClientTrace{
		// Before the request is written, after the answer has come: what lies between
		// them is never too short.
		GotConn:              func(httptrace.GotConnInfo) { sent = k.now() },
		GotFirstResponseByte: func() { came = k.now() },
	}
	var t times
	err := c.get(httptrace.WithClientTrace(ctx, trace), timePath, &t)
	if e, ok := err.(*StatusError); ok && e.Status == http.StatusNotFound { //nolint:errorlint // as it came
		err = ErrNoServer
	}
	if err != nil {
		return t, explain(c.op("connect to"), err)
	}
	if t.Receive.IsZero() || t.Transmit.IsZero() {
		return t, explain(c.op("connect to"), ErrNoServer)
	}
	if sameMachine(t.Boot) {
		k.share()
		return t, nil
	}
	origin := k.origin.Round(0)
	receive, transmit := t.Receive.Sub(origin), t.Transmit.Sub(origin)
	k.add(exchange{
		at:    sent + (came-sent)/2,
		ahead: ((receive - sent) + (transmit - came)) / 2,
		round: (came - sent) - (transmit - receive),
	})
	return t, nil
}

// sameMachine reports whether a server's machine is this one, in the same run of it
// (random(4), boot_id). A socket may lead elsewhere, as ssh's do.
func sameMachine(boot string) bool {
	here, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return err == nil && boot != "" && boot == strings.TrimSpace(string(here))
}

// synchronise makes the exchanges that come first. The error is that of the first
// one.
func (s *Source) synchronise() (times, error) {
	begun := time.Now()
	t, err := s.client.exchange(s.ctx, s.clock)
	for n := 1; err == nil && n < exchangesFirst && !s.clock.shared() && time.Since(begun) < firstTime; n++ {
		if _, again := s.client.exchange(s.ctx, s.clock); again != nil {
			break // the stream will tell
		}
	}
	return t, err
}

// follow makes exchanges until ctx ends. One that fails is left out: whether the server
// is away is for the stream to tell.
func (s *Source) follow(ctx context.Context) {
	for begun := time.Now(); ; {
		pause := exchangeEvery
		if time.Since(begun) < 2*driftBase {
			pause = exchangeSoon
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if !s.clock.shared() {
			_, _ = s.client.exchange(ctx, s.clock)
		}
	}
}
