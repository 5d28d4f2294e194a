package client

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"time"

	"powerspy2/internal/serve/api"
	"powerspy2/powerspy/timebase"
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

// exchange makes an exchange of times, and looks at this machine's wall clock.
func (c *Client) exchange(ctx context.Context, k *clock, wall *timebase.WallClock) (api.Time, error) {
	var sent, came time.Duration
	trace := &httptrace.ClientTrace{
		// Before the request is written, after the answer has come: what lies between
		// them is never too short.
		GotConn:              func(httptrace.GotConnInfo) { sent = k.now() },
		GotFirstResponseByte: func() { came = k.now() },
	}
	var t api.Time
	err := c.get(httptrace.WithClientTrace(ctx, trace), api.Clock, &t)
	if e, ok := err.(*StatusError); ok && e.Status == http.StatusNotFound { //nolint:errorlint // as it came
		err = ErrNoServer
	}
	if err != nil {
		return t, explain(c.op("connect to"), err)
	}
	if t.Receive.IsZero() || t.Transmit.IsZero() {
		return t, explain(c.op("connect to"), ErrNoServer)
	}
	// A socket may lead to another machine, as ssh's do.
	if t.Boot != "" && t.Boot == api.BootID() {
		k.share()
		return t, nil
	}
	origin := k.began().Round(0)
	receive, transmit := t.Receive.Time.Sub(origin), t.Transmit.Time.Sub(origin)
	k.add(exchange{
		at:    sent + (came-sent)/2,
		ahead: ((receive - sent) + (transmit - came)) / 2,
		round: (came - sent) - (transmit - receive),
	}, wall.Step(time.Now()))
	return t, nil
}

// exchange makes one at a time.
func (s *Source) exchange(ctx context.Context) (api.Time, error) {
	select {
	case s.exchanging <- struct{}{}:
	case <-ctx.Done():
		return api.Time{}, ctx.Err()
	}
	defer func() { <-s.exchanging }()
	return s.client.exchange(ctx, s.clock, &s.slept)
}

// synchronise makes the exchanges that come first. The error is that of the first
// one.
func (s *Source) synchronise() (api.Time, error) {
	begun := time.Now()
	t, err := s.exchange(s.ctx)
	for n := 1; err == nil && n < exchangesFirst && !s.clock.shared() && time.Since(begun) < firstTime; n++ {
		if _, again := s.exchange(s.ctx); again != nil {
			break // the stream will tell
		}
	}
	return t, err
}

// follow makes exchanges until ctx ends. One that fails is left out: whether the server
// is away is for the stream to tell.
func (s *Source) follow(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.clock.pause()):
		}
		if !s.clock.shared() {
			_, _ = s.exchange(ctx)
		}
	}
}
