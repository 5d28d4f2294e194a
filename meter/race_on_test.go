//go:build race

package meter

// underRace: the race detector makes a simulation some ten to twenty times
// slower, and finds what it finds in a short one.
const underRace = true

// soakUsually is how many hours TestSoak measures if not told.
const soakUsually = 1
