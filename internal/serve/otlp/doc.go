// Package otlp pushes what meters measure to an OpenTelemetry collector, or
// whatever else takes OTLP over HTTP (protobuf).
//
// Metrics and attributes are those of the semantic conventions for hardware, which
// are still in development: hw.host.energy in J, hw.host.power in W and hw.voltage
// in V, of the meter hw.id that goes by hw.name. A power is that of the last second
// before a push; the energy misses nothing in between.
package otlp
