package logfile

import (
	"errors"
	"io"
	"slices"
)

// blockSize is how much of a file is looked at in one piece: many lines.
const blockSize = 64 << 10

// longestTorn bounds what is taken for a torn line. A whole line is far shorter.
const longestTorn = blockSize

// ErrNotText is a file that was not written by this package: cutting its end
// would destroy what somebody else put there.
var ErrNotText = errors.New("its end is not text, so it is no file of readings")

// wholeLength returns how many of the first size bytes of r end with a whole
// line: one that has its newline and no zero byte. What follows is what a crash
// left. ext4 and XFS, for two, extend a file before they write its blocks, and
// zero bytes are what such blocks read as after a power failure; the block
// behind them may have been written.
//
// It reads backwards and no further than it has to: a file that is whole costs
// its last block, whatever its size. The error is ErrNotText, or r's.
func wholeLength(r io.ReaderAt, size int64) (int64, error) {
	buf := make([]byte, min(size, blockSize))
	end := int64(-1) // of the line at hand, if it may be whole
	torn := 0        // bytes behind it, without zero bytes
	for start := size; start > 0; {
		block := buf[:min(start, blockSize)]
		start -= int64(len(block))
		// A file that is shortened meanwhile gives io.EOF.
		if n, err := r.ReadAt(block, start); n < len(block) {
			return 0, err
		}
		for i, c := range slices.Backward(block) {
			switch {
			case c == '\n' && end >= 0:
				return end, nil
			case c == '\n':
				end = start + int64(i) + 1
			case c == 0:
				end = -1
			case end >= 0:
			case torn == longestTorn || c < ' ' && c != '\t' && c != '\r':
				return 0, ErrNotText
			default:
				torn++
			}
		}
	}
	return max(end, 0), nil
}
