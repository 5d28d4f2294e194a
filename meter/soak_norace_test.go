//go:build !race

package meter

// soakUsually is how many hours TestSoak measures if not told.
const soakUsually = 10
