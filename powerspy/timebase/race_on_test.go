//go:build race

package timebase

// underRace: the race detector makes a simulation some twenty times slower, and
// finds what it finds in a short one.
const underRace = true
