// Package serve hands what meters measure to any number of readers: over HTTP, on
// Unix sockets and TCP ports.
//
// A [Server] owns its [Meter]s. Each of them is measured by itself, for ever; its
// windows go through a [measure.Hub], which all readers read from, so that none
// holds up another one or the meter. Package api has what goes over the wire.
//
// From the top to the bottom: server.go and listen.go take connections; guard.go,
// login.go and limits.go turn away who is not to come in; api.go and the files
// named after its parts answer; meter.go and feed.go measure.
package serve
