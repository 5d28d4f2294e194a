package main

import (
	"context"
	"errors"

	"powerspy2/internal/owner"
	"powerspy2/internal/serve/client"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/rfcomm"
)

// A meter at a server: see package client.

// served opens a meter at a server.
func (s *session) served(ctx context.Context, t meter.Target, sc meter.StreamConfig, rec meter.Recovery) (measure.Source, error) {
	login, err := s.login(t.Server)
	if err != nil {
		return nil, err
	}
	src, err := client.Open(ctx, client.Config{
		Login: login, Alias: t.Alias, Stream: sc, GiveUpAfter: rec.GiveUpAfter,
		Report: s.meter.Report, Mark: s.onMark,
	})
	if err != nil {
		return nil, err // a nil *Source would be one
	}
	return src, nil
}

// throughServer opens a meter that could not be opened because somebody else has it,
// where that is a server which this user may ask. ok is false where it is none.
func (s *session) throughServer(ctx context.Context, held meter.Target, err error, sc meter.StreamConfig, rec meter.Recovery) (src measure.Source, ok bool) {
	for _, socket := range localServers(err) {
		server := meter.Server{Socket: socket}
		name, found := nameAt(ctx, server, held)
		if !found {
			continue
		}
		server.Meter = name
		if src, err := s.servedHere(ctx, meter.Target{Kind: meter.Served, Server: server, Alias: held.Alias}, sc, rec); err == nil {
			return src, true
		}
	}
	return nil, false
}

// servedHere opens a meter at a server on this machine that was not asked for by name.
func (s *session) servedHere(ctx context.Context, t meter.Target, sc meter.StreamConfig, rec meter.Recovery) (measure.Source, error) {
	src, err := s.served(ctx, t, sc, rec)
	if err == nil && s.progress.Terminal {
		s.progress.Line("reading %s through the server at %s", src.Target().Name, meter.Server{Socket: t.Server.Socket})
	}
	return src, err
}

// serverHere finds a server of this user, or the machine's, which has meters that are
// not reached from here: simulated ones, or those of serial lines.
func (s *session) serverHere(ctx context.Context) (server meter.Server, ok bool) {
	sockets := []string{systemSocket}
	if own, err := serveSocket(s.env.getenv); err == nil {
		sockets = []string{own, systemSocket}
	}
	for _, socket := range sockets {
		server.Socket = socket
		c := client.New(client.Login{Server: server})
		_, err := c.Meters(ctx)
		c.Close()
		if err == nil {
			return server, true
		}
	}
	return meter.Server{}, false
}

// systemSocket is where the service that the packages install listens.
const systemSocket = "/run/powerspy/powerspy.sock"

// localServers returns the sockets of servers on this machine that may have a meter
// which somebody else has, as err says.
func localServers(err error) []string {
	var sockets []string
	if e, ok := errors.AsType[*owner.HeldError](err); ok && e.Holder.Socket != "" {
		sockets = append(sockets, e.Holder.Socket)
	}
	// Claims of other users are not to be seen.
	if errors.Is(err, owner.ErrHeld) || errors.Is(err, rfcomm.ErrBusy) || errors.Is(err, meter.ErrInUse) {
		sockets = append(sockets, systemSocket)
	}
	return sockets
}

// serverOf finds the server on this machine that has a meter, which is not disturbed.
func (s *session) serverOf(ctx context.Context, t meter.Target) (server meter.Server, ok bool) {
	key := owner.Key(t)
	if key == "" {
		return server, false
	}
	sockets := []string{systemSocket} // claims of other users are not to be seen
	release, err := owner.Claim(s.env.getenv, key, owner.Self(s.env.args))
	switch {
	case err == nil:
		_ = release() // it was only looked
	case errors.Is(err, owner.ErrHeld):
		sockets = localServers(err)
	}
	for _, socket := range sockets {
		server = meter.Server{Socket: socket}
		if server.Meter, ok = nameAt(ctx, server, t); ok {
			return server, true
		}
	}
	return meter.Server{}, false
}

// nameAt returns what a server calls a meter, if it has it.
func nameAt(ctx context.Context, server meter.Server, t meter.Target) (name string, ok bool) {
	c := client.New(client.Login{Server: server})
	defer c.Close()
	list, err := c.Meters(ctx)
	if err != nil {
		return "", false
	}
	key := owner.Key(t)
	for _, m := range list {
		there, err := meter.ParseTarget(m.Device)
		if err == nil && key != "" && owner.Key(there) == key {
			return m.Name, true
		}
	}
	return "", false
}
