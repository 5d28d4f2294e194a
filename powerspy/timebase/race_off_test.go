//go:build !race

package timebase

const underRace = false
