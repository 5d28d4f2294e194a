// Package sim is a simulated Alciom PowerSpy2 power meter: the meter behind
// the device name "sim:", and the peer of this project's tests.
//
// It is written from the meter's protocol specification (Alciom
// AL/LG/0838/003, edition 1G), from recordings of real streams and from what
// clients of real meters report, not from this project's client: the two share no code, so that a mistake in
// one shows against the other. Where the specification and meters differ, the
// simulator does as meters do.
//
// A [Meter] has the state of the instrument: the EEPROM, the trigger, a
// capture, the real-time mode, the clock, the SD card and its log. It belongs
// to the meter and outlives the connection: a client that dies leaves the meter
// streaming to the next one.
// One connection is served at a time, from [Meter.Dial] in this process,
// [Meter.Serve] on any listener, [Meter.ServeConn] on anything that reads and
// writes, or [Meter.ServePTY] on a pseudo-terminal.
//
// # Time
//
// Mains frequency wanders slowly and smoothly around its mean, and everything
// that the meter measures is a function of the time since the meter was made.
// The end of averaging window k is where the mains phase has advanced by k+1
// times the averaging count since the stream began: it is solved for, not
// added up, so it has no error that grows. Windows begin at a mains zero
// crossing, the first one after J was received. [Meter.Truth] and
// [Meter.Energy] tell what really happened.
//
// What the meter says arrives late, as over Bluetooth, always in order, and
// some of it never, as [Link] says: through a [Radio] with a short queue, as
// real meters are seen to do, or by a constant delay, an exponentially
// distributed one, and now and then a stall. Requests are late, too, but for
// stalls. [Truth] says which windows were left out.
//
// All waiting is done with package time, so a meter made inside a
// testing/synctest bubble runs on the bubble's clock.
//
// A meter with a [Recording] measures that instead of its load, with the
// recorded times.
//
// # Faults
//
// [Faults] says what is wrong: always, from some time into each connection, or
// once in the life of the meter. Those of the last kind, and the battery of
// all faults, are a function of the time, too: [Meter.Incidents] says which
// came. [Meter.Streams] and [Meter.StreamTruth] tell what was measured by a
// meter whose client had to start again.
//
// # What is not known
//
// Recordings of real streams are of windows of one mains period: by how much
// the first frame after J is too large with longer ones ([FirstLaw]), and that
// nothing is left out there, is inferred. The specification leaves open, and no
// client of real meters tells, how the samples of a capture are coded, in what
// unit the trigger has power and its part before the trigger, what is in a log
// file, and how a meter refuses a block that it does not have. Where the
// simulator had to choose, the comment says so.
//
// # Randomness
//
// Whatever is random is a hash of the seed and of what it is for (the number
// of the window, say), not the next value of a generator: a run with the same
// seed and the same requests is the same run.
package sim
