//go:build !race

package measure

const UnderRace = false
