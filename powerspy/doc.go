// Package powerspy speaks the language of the Alciom PowerSpy2, a power meter
// that plugs in between the wall and a machine and reports over Bluetooth.
//
// The package is pure: it turns bytes into values and back, over any [Link],
// and knows nothing of Bluetooth. An RFCOMM socket, a serial line, a TCP
// connection and an in-process pipe are equal to it. It never logs; every
// byte exchanged can be seen through Config.Trace.
//
// The protocol is that of Alciom, "PowerSpy to PC protocol specification",
// AL/LG/0838/003, edition 1G, cited below by section. Where meters in the
// field are known to behave otherwise, the package follows the meters and
// says so.
//
// # Requests and synchronisation
//
// The host asks and the meter answers, one request at a time (§3.2). Most
// answers do not name the request they belong to: <K> answers nearly
// everything, and an EEPROM byte is two bare digits. An answer that comes
// after its request was given up would therefore be taken for the answer of
// the next one, with wrong scales or a meter believed stopped as the result.
//
// A [Client] guards against this. It is unsynchronised at first, since the
// meter may still be talking to a client that died, and becomes so again
// whenever a request ends without the answer it was waiting for: no answer in
// time, a cancelled context, an answer that was not understood. An
// unsynchronised client puts an identity exchange before the next request and
// drops everything until the identity is there: the meter answers in order,
// and the identity is the one answer that cannot be mistaken. Real-time frames
// and identities that nobody waits for are never taken for an answer at all.
//
// The answers of [Client.ReadFile] and [Client.ReadCaptureBinary] are bytes
// that can be any, identities among them. They are fenced in by identities
// instead, and every byte between is accounted for.
//
// What arrives may be damaged on the way from the meter, and a damaged digit is a
// digit none the less. Real-time frames come all the time, and one that is odd
// shows; but a byte of the EEPROM, the frequency and the identity are asked for
// once and used for long. A client believes them once two readings agree: see
// [Client.ReadEEPROM], [Client.Calibration], [Client.Frequency] and
// [Client.Identity].
//
// Meters of two generations differ in their requests. A client learns which one
// it talks to from the meter's identity: with [Client.Identity] or, if that has
// not been called, before the first request for which it matters.
//
// A client that died may have left the meter in real-time mode. The package
// ends that before a request that would suffer from it, when the meter's status
// or a frame tells. Reading the EEPROM or the frequency does not suffer.
//
// If synchronising fails too, the remedy is that of §3.2: close the link,
// open it again, and start with a new client.
//
// # Errors
//
// Every error of a [Client] or [Realtime] method is an [*Error] that names
// the operation. It matches exactly one of: [ErrLink], the link failed and
// the client is of no further use; [ErrRefused], the meter said no;
// [ErrNotUnderstood], the meter said something else; [ErrNoAnswer], it said
// nothing in time; [ErrClosed], [ErrStreaming], [ErrStopped], [ErrNotSupported]
// and [ErrOutOfRange], the call made no sense; or the error of the caller's
// context. [Client.ReadFile] adds that of its writer, and [Realtime.Next] [os.ErrDeadlineExceeded], alone, for a
// deadline that passed without a frame.
package powerspy
