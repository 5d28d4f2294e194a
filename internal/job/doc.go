// Package job runs the command that is measured, and knows when it began and
// ended, how, and what it marked.
//
// A command has the terminal, the standard streams and the process group of its
// parent, so that it can't tell that it is measured. Only where its standard
// output is to be read for phases does that lead through this process.
package job
