package powerspy

// Limits of the protocol, and of what is believed.
const (
	// MinFrequency and MaxFrequency bound a mains frequency that is believed,
	// in hertz.
	MinFrequency = 40
	MaxFrequency = 70

	// MaxCaptureLength is the longest capture in mains periods (§3.3.2).
	MaxCaptureLength = 100

	// MinClockYear and MaxClockYear are the years that the clock of a meter can
	// hold: since 2000, in one byte (§3.4.8).
	MinClockYear = 2000
	MaxClockYear = 2255

	// MaxLogPeriod is the longest log period in mains periods (§3.4.10).
	MaxLogPeriod = 5000

	// MaxFileSize is the size of the longest file that can be asked for, in
	// bytes: a block number has four digits, and the < and > around the content
	// count (§3.4.15).
	MaxFileSize = 0x10000*blockSize - 2
)
