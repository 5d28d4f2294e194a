// Package stats sums up a measurement while it runs, in memory that does not
// grow with its length.
//
// What can be exact is: duration, energy, mean, deviation, extremes, counts.
// Quantiles are within 0.1 %, from bins of our own: the library for it
// (DataDog's sketches-go) would bring all of protobuf along.
package stats
