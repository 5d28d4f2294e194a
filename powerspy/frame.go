package powerspy

// frameLength is the number of characters of a real-time frame between < and
// >: three fields of eight digits, two of four, four spaces.
const frameLength = 3*8 + 2*4 + 4

// A Frame is one real-time frame: the raw counts of one averaging window
// (§3.4.6). [Calibration.Convert] turns it into volts, amperes and watts.
type Frame struct {
	VoltageSquare uint32 // mean of the squared voltage counts
	CurrentSquare uint32 // mean of the squared current counts

	// Power is the mean power in products of counts. It is signed: with
	// nothing plugged in, meters report small negative values.
	Power int32

	VoltagePeak uint16 // highest voltage count
	CurrentPeak uint16 // highest current count
}

// ParseFrame parses what stands between < and > of a real-time frame. Nothing
// but a whole, well-formed frame is accepted: upper-case hexadecimal fields of
// 8, 8, 8, 4 and 4 digits with single spaces between. Otherwise the error is an
// [*AnswerError], which matches [ErrNotUnderstood].
func ParseFrame(inside []byte) (Frame, error) {
	f, ok := parseFrame(inside)
	if !ok {
		return Frame{}, newAnswerError(inside, "not a real-time frame")
	}
	return f, nil
}

// parseFrame is ParseFrame without the price of an error.
func parseFrame(p []byte) (f Frame, ok bool) {
	if len(p) != frameLength || p[8] != ' ' || p[17] != ' ' || p[26] != ' ' || p[31] != ' ' {
		return Frame{}, false
	}
	u2, ok1 := parseHex(p[0:8])
	i2, ok2 := parseHex(p[9:17])
	w, ok3 := parseHex(p[18:26])
	u, ok4 := parseHex(p[27:31])
	i, ok5 := parseHex(p[32:36])
	if !(ok1 && ok2 && ok3 && ok4 && ok5) {
		return Frame{}, false
	}
	return Frame{
		VoltageSquare: u2,
		CurrentSquare: i2,
		Power:         int32(w),
		VoltagePeak:   uint16(u),
		CurrentPeak:   uint16(i),
	}, true
}

// AppendText appends the frame as the meter sends it, without < and >. The
// error is always nil. It implements [encoding.TextAppender].
func (f Frame) AppendText(b []byte) ([]byte, error) {
	b = appendHex(b, f.VoltageSquare, 8)
	b = appendHex(append(b, ' '), f.CurrentSquare, 8)
	b = appendHex(append(b, ' '), uint32(f.Power), 8)
	b = appendHex(append(b, ' '), uint32(f.VoltagePeak), 4)
	return appendHex(append(b, ' '), uint32(f.CurrentPeak), 4), nil
}

// A Measurement is one averaging window in units.
type Measurement struct {
	Voltage     float64 // V, rms
	Current     float64 // A, rms
	Power       float64 // W, mean; negative when power flows back
	VoltagePeak float64 // V
	CurrentPeak float64 // A
}

// possible reports whether no rms value stands above its peak, but for the
// rounding of a peak. A damaged frame that has kept its form shows so.
func (f *Frame) possible() bool {
	below := func(square uint32, peak uint16) bool {
		most := uint64(peak) + 1
		return uint64(square) <= most*most
	}
	return below(f.VoltageSquare, f.VoltagePeak) && below(f.CurrentSquare, f.CurrentPeak)
}

// parseHex parses upper-case hexadecimal digits, at most eight.
func parseHex(p []byte) (v uint32, ok bool) {
	for _, c := range p {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | uint32(c-'0')
		case 'A' <= c && c <= 'F':
			v = v<<4 | uint32(c-'A'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// appendHex appends the lowest digits of v in upper-case hexadecimal.
func appendHex(b []byte, v uint32, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b = append(b, "0123456789ABCDEF"[v>>shift&0xF])
	}
	return b
}
