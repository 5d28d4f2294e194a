//go:build !race

package meter

const (
	underRace   = false
	soakUsually = 10
)
