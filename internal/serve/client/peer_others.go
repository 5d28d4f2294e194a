//go:build !linux

package client

import (
	"errors"
	"net"
)

var errPeer = errors.New("sockets of this system are not looked at")

func trustSocket(string, int) error { return errPeer }

func trustPeer(net.Conn, int) error { return errPeer }
