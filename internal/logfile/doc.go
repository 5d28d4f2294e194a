// Package logfile appends whole lines to a file, for weeks, through crashes,
// full disks and log rotation.
//
// What a crash leaves of a last line (half of it, or the zero bytes that file
// systems put in its place when the power failed) is cut off when the file is
// opened next; whole lines are never touched, nor is a file of other lines. Only
// regular files are mended: pipes, terminals and other devices are written to as
// they are.
//
// A claim of the caller's keeps a second writer away. A lock on the file itself
// would not do, since whoever may read a file may lock it.
//
// Errors do not name the file, which the caller knows.
package logfile
