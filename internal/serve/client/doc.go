// Package client reads the meters of a server, `powerspy serve`, on this machine or
// another one: a [Source] is a [measure.Source] like a meter of one's own.
//
// What a server tells has the times of its machine. A Source asks it for its
// clock again and again, and turns all times into those of this machine (clock.go,
// place.go). When the connection breaks, it connects again and asks the server's
// memory for what it missed (source.go): only what that does not hold any more is a
// gap.
package client
