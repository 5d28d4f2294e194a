package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// magic begins a frame of Zstandard (RFC 8878, section 3.1.1), and skippable one
// that is to be skipped, in all but its last four bits.
var magic = []byte{0x28, 0xb5, 0x2f, 0xfd}

const (
	skippable = 0x184d2a50

	// longestTorn bounds what is taken for the torn end of a recording: two minutes
	// of frames. A power failure takes half a minute.
	longestTorn = 512 << 10

	// looked is how much of the end of a recording is decompressed to see whether
	// its frames are whole. Blocks of a file may reach the disk in any order.
	looked = longestTorn / 2
)

// ErrDamaged is matched by the errors for a recording that is damaged before its
// end.
var ErrDamaged = errors.New("the recording is damaged")

// wholeFrames returns how many of the first size bytes of r are whole frames of
// Zstandard. What follows is what a crash has left of the last ones. Errors are
// r's, and one that matches ErrDamaged where more follows than a crash can leave.
//
// It reads the headers of blocks alone, but for the end.
func wholeFrames(r io.ReaderAt, size int64) (int64, error) {
	s := &scanner{r: r, size: size, head: make([]byte, scanSize)}
	var at int64
	var last []int64 // where frames begin that are to be looked at
	for at < size {
		next, err := s.frame(at)
		if err != nil {
			return 0, err
		}
		if next < 0 {
			break
		}
		if size-at <= looked {
			last = append(last, at)
		}
		at = next
	}
	if size-at > longestTorn {
		return at, fmt.Errorf("%w: what stands at byte %d is no frame of Zstandard", ErrDamaged, at)
	}
	d, err := newDecoder(nil)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	for i, from := range last {
		to := at
		if i+1 < len(last) {
			to = last[i+1]
		}
		if err := d.Reset(io.NewSectionReader(r, from, to-from)); err != nil {
			return from, nil
		}
		if _, err := io.Copy(io.Discard, d); err != nil {
			return from, nil
		}
	}
	return at, nil
}

// newDecoder returns one that takes no more memory than it has to.
func newDecoder(r io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
}

// A scanner finds where frames end.
type scanner struct {
	r    io.ReaderAt
	size int64
	head []byte // some bytes of r
	from int64  // where they begin
	have int
}

const scanSize = 64 << 10

// bytes returns n bytes from at on, of which there are few; nil where r ends
// before.
func (s *scanner) bytes(at int64, n int) ([]byte, error) {
	if at+int64(n) > s.size {
		return nil, nil
	}
	if at < s.from || at+int64(n) > s.from+int64(s.have) {
		got, err := s.r.ReadAt(s.head[:min(int64(len(s.head)), s.size-at)], at)
		if got < n {
			return nil, err
		}
		s.from, s.have = at, got
	}
	return s.head[at-s.from:][:n], nil
}

// frame returns where the frame at a place ends, -1 where there is no whole one.
func (s *scanner) frame(at int64) (int64, error) {
	head, err := s.bytes(at, 5)
	if head == nil {
		return -1, err
	}
	if binary.LittleEndian.Uint32(head)&^0xf == skippable {
		head, err := s.bytes(at, 8)
		if head == nil {
			return -1, err
		}
		return s.within(at + 8 + int64(binary.LittleEndian.Uint32(head[4:]))), nil
	}
	if !bytes.Equal(head[:4], magic) {
		return -1, nil
	}
	// RFC 8878, section 3.1.1.1.
	descriptor := head[4]
	single := descriptor >> 5 & 1
	if descriptor&0x08 != 0 { // reserved
		return -1, nil
	}
	length := 5 + int64([...]int{0, 1, 2, 4}[descriptor&3]) + int64([...]byte{single, 2, 4, 8}[descriptor>>6])
	if single == 0 {
		length++
	}
	at += length
	for {
		head, err := s.bytes(at, 3)
		if head == nil {
			return -1, err
		}
		block := uint32(head[0]) | uint32(head[1])<<8 | uint32(head[2])<<16
		size := int64(block >> 3)
		switch block >> 1 & 3 {
		case 1: // a byte that is repeated
			size = 1
		case 3: // reserved
			return -1, nil
		}
		at += 3 + size
		if block&1 != 0 {
			break
		}
	}
	if descriptor&4 != 0 { // a checksum
		at += 4
	}
	return s.within(at), nil
}

func (s *scanner) within(end int64) int64 {
	if end > s.size {
		return -1
	}
	return end
}
