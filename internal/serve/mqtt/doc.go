// Package mqtt publishes what meters measure to an MQTT broker (version 5):
//
//	powerspy/METER/reading   a reading at each interval, as JSON
//	powerspy/METER/state     online or offline, retained, and the last will
//	homeassistant/sensor/... what Home Assistant needs to know of each sensor, retained
//
// Each meter has a connection of its own, so that its state is its own last will.
// Nothing is kept for a broker that is away: readings are of the moment, and the
// energy is a counter.
package mqtt
