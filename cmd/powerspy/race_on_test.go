//go:build race

package main

// underRace: the race detector makes a program slower, and larger.
const underRace = true
