package powerspy

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// Bounds of the answers, several times what the longest capture takes.
const (
	maxASCII  = 1 << 20
	maxBinary = 1 << 19
)

// samplesPerPeriod follows from "about 1024 bytes a period", with two bytes for
// a voltage and two for a current. It serves to know when an answer is whole,
// not for times.
const (
	samplesPerPeriod = 256
	bytesPerSample   = 4
)

// ReadCapture reads the capture buffer as text (request A, §3.4.4) after a
// capture of so many mains periods, 1 to [MaxCaptureLength]. The answer is
// taken for a result byte, a 16-bit number and, for each sample, four digits
// of voltage and four of current, signed counts in two's complement. Spaces
// and line ends are skipped.
//
// An answer that is something else is returned in Capture.Raw, beside an
// [*AnswerError] and what could be decoded. A meter that holds no complete
// capture refuses: [ErrRefused].
func (c *Client) ReadCapture(ctx context.Context, periods int) (*Capture, error) {
	const op = "read the capture"
	if err := checkLength(periods); err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	cp := &Capture{Periods: periods}
	err := c.request(ctx, op, func() error {
		if err := c.prepare(ctx); err != nil {
			return err
		}
		return c.exchangeLong(ctx, "A", maxASCII, func(frame []byte) verdict {
			if !isCapture(frame) {
				return judgeOther(frame)
			}
			cp.Raw = append([]byte(nil), frame[1:]...)
			return accept
		})
	})
	if err != nil {
		return nil, err
	}
	if why := cp.decodeASCII(); why != "" {
		return cp, &Error{Op: op, Err: newAnswerError(cp.Raw, why)}
	}
	return cp, nil
}

// isCapture reports whether frame can be the answer to A. A real-time frame
// may begin like one.
func isCapture(frame []byte) bool {
	_, realtime := parseFrame(frame)
	return len(frame) > 0 && frame[0] == 'A' && !realtime
}

// decodeASCII decodes Raw as far as it can and says what is wrong with it.
func (cp *Capture) decodeASCII() (why string) {
	const header, sample = 2 + 4, 2 * bytesPerSample
	text := bytes.Map(func(r rune) rune {
		if r == ' ' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, cp.Raw)
	if len(text) < header {
		return "too short for a capture"
	}
	result, ok1 := parseHex(text[:2])
	announced, ok2 := parseHex(text[2:header])
	if !ok1 || !ok2 {
		return "no hexadecimal digits"
	}
	cp.Result, cp.Announced = uint8(result), int(announced)
	text = text[header:]
	cp.Counts = make([]CaptureCount, 0, len(text)/sample)
	for ; len(text) >= sample; text = text[sample:] {
		v, ok := parseHex(text[:sample])
		if !ok {
			return fmt.Sprintf("no hexadecimal digits in sample %d", len(cp.Counts))
		}
		cp.Counts = append(cp.Counts, CaptureCount{int16(v >> 16), int16(v)})
	}
	n := len(cp.Counts)
	switch {
	case len(text) > 0:
		return fmt.Sprintf("%d digits too many after %d samples", len(text), n)
	case cp.Announced != n && cp.Announced != 2*n:
		return fmt.Sprintf("%d samples where it says %d", n, cp.Announced)
	}
	return ""
}

// ReadCaptureBinary reads the capture buffer as bytes (request B, §3.4.5) after
// a capture of so many mains periods, 1 to [MaxCaptureLength]; it takes half
// the time of [Client.ReadCapture]. The answer is taken for two bytes of
// voltage and two of current for each sample, signed counts in two's
// complement, most significant byte first.
//
// The bytes can be any, < and > among them, and the answer does not tell its
// length. It is over when it has the usual length, or when the meter has been
// silent for Config.Timeout; the identity that is asked for then shows that
// nothing was left. If there was no > at the end, or the last sample is not
// whole, the error is an [*AnswerError], with what came in Capture.Raw. A meter that holds no
// complete capture refuses: [ErrRefused].
func (c *Client) ReadCaptureBinary(ctx context.Context, periods int) (*Capture, error) {
	const op = "read the capture"
	if err := checkLength(periods); err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	var cp *Capture
	err := c.request(ctx, op, func() error {
		if err := c.align(ctx); err != nil {
			return err
		}
		answer, err := c.readBinary(ctx, 2+periods*samplesPerPeriod*bytesPerSample+1)
		if answer != nil {
			cp = decodeBinary(answer)
			cp.Periods = periods
		}
		return err
	})
	return cp, err
}

// readBinary makes the request B and returns what stands between <B and >, or
// what has come instead.
func (c *Client) readBinary(ctx context.Context, usual int) ([]byte, error) {
	if err := c.send(ctx, "B"); err != nil {
		return nil, err
	}
	var got []byte
	for len(got) < usual || got[usual-1] != '>' {
		p, err := c.receive(ctx)
		if errors.Is(err, os.ErrDeadlineExceeded) && len(got) > 0 && ctx.Err() == nil {
			break // it is shorter than usual, or longer
		}
		if err != nil {
			return nil, c.expired(ctx, err)
		}
		got = append(got, p...)
		if isRefusal(got) {
			break
		}
		if len(got) > maxBinary {
			return got, newAnswerError(got, fmt.Sprintf("more than %d bytes", maxBinary))
		}
		if err := c.await(ctx, len(got)); err != nil {
			return nil, err
		}
	}
	rest, err := c.fence(ctx)
	if err != nil {
		return nil, err
	}
	got = append(got, rest...)
	if isRefusal(got) {
		return nil, ErrRefused
	}
	inside, begins := bytes.CutPrefix(got, []byte("<B"))
	whole, ends := bytes.CutSuffix(bytes.TrimRight(inside, "\r\n"), []byte(">"))
	switch {
	case !begins || !ends:
		return inside, newAnswerError(got, fmt.Sprintf("%d bytes, not from <B to >", len(got)))
	case len(whole)%bytesPerSample != 0:
		return inside, newAnswerError(got, fmt.Sprintf("%d bytes, which are no whole samples", len(whole)))
	}
	return whole, nil
}

func decodeBinary(answer []byte) *Capture {
	cp := &Capture{Raw: answer, Counts: make([]CaptureCount, 0, len(answer)/bytesPerSample)}
	for p := answer; len(p) >= bytesPerSample; p = p[bytesPerSample:] {
		cp.Counts = append(cp.Counts, CaptureCount{
			Voltage: int16(binary.BigEndian.Uint16(p)),
			Current: int16(binary.BigEndian.Uint16(p[2:])),
		})
	}
	return cp
}
