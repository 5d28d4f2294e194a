// Package record keeps measurements in files, and reads them back: every window,
// gap, status and mark of a meter, to the nanosecond and the last bit.
//
// A recording is text, JSON Lines, that begins with a [Header]:
//
//	{"type":"header","version":1,...}
//	{"type":"reading","start_s":1772600707.890123456,...,"power_W":52.41,...}
//	{"type":"gap",...}
//
// Keys are those of `powerspy measure --format jsonl`; docs/recordings.md tells
// them all. A [Line] is one of them; [Line.Append] and [Reader] are the codec, of
// files and of the wire alike. A reader skips types of lines and keys that it
// does not know: [Version] says when it may not.
//
// A [Writer] is a [measure.Sink]; what it wrote into a file that a crash has cut
// short is mended by [OpenFile]. [Open] returns a [Recording], which is a
// [measure.Source].
package record
