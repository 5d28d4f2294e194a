// Package output writes what a meter measures: units and text formats.
//
// A Sink takes the events of a stream. Each reading becomes one line, written
// with a single Write as soon as it is known, so that whoever reads the other
// end sees whole lines and sees them at once.
package output
