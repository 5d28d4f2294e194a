//go:build race

package meter

// soakUsually is how many hours TestSoak measures if not told: the race
// detector makes them some eight times as long.
const soakUsually = 1
