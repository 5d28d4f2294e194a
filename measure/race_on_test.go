//go:build race

package measure

// UnderRace: the race detector makes a simulation some ten to twenty times
// slower, and finds what it can find in a short one.
const UnderRace = true
