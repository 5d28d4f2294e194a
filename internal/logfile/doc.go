// Package logfile appends whole lines to a file, for weeks, through crashes,
// full disks and log rotation.
//
// What a crash leaves of a last line (half of it, or the zero bytes that file
// systems put in its place when the power failed) is cut off when the file is
// opened next; whole lines are never touched. Only regular files are mended:
// pipes, terminals and other devices are written to as they are. An advisory
// lock (flock) keeps a second writer away, as long as it asks for the lock too.
//
// Errors do not name the file, which the caller knows.
package logfile
