// Package bench repeats commands and says which one takes less energy, and how
// sure that is. It knows time, samples and statistics; what runs a command and
// reads the meter is an [Executor].
//
// A [Plan] says how often and in which order. An [Engine] carries it out, one
// [Run] after the other, and gives back a [Series] of runs for each command.
// [Summarize] makes statistics of a series: the interval of a mean is Student's,
// over the runs, whose scatter holds the machine, the room and the random part of
// measuring; what is off by the same amount in each run is added, and told apart.
// [Compare] makes the ratio of two series, of the runs of a round against each
// other where the order allows it, so that a drift cancels.
//
// A [Result] is a bench in a file: hyperfine's JSON with energies beside its times.
package bench
