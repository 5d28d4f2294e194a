// Package signals decides what the signals that this process gets do: end it in good
// order, go to the command that it measures, or both. A command that is measured is to
// get the signals that it would get if it were alone.
package signals
