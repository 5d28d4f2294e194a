// Package oldlog reads what older tools for the PowerSpy2 wrote down:
//
//   - powerspy.py (and what was made from it): six columns separated by tabs,
//     the time of arrival in seconds, volts, amperes, watts, and the peaks of
//     voltage and current, one line a frame. Three more columns, which only
//     annotated copies have, tell what was inferred of each window: its number
//     (windows that were left out are counted), when it ended, and whether
//     that is sure.
//   - powerspycli: a CSV file whose header is Timestamp;Power, with whole
//     seconds since 1970 and watts, or the same two separated by a tab.
//
// A log is known by its content, not by its name, and may be compressed by
// gzip. It is read as a stream: memory does not grow with it.
//
// A [Reader] skips what cannot be a measurement and counts it: see [Summary].
// The first row is given out as any other: that the first frame after a start
// is too large is a matter of meters, not of logs.
package oldlog
