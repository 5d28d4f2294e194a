package powerspy

import (
	"context"
	"fmt"
)

// eepromSize is the number of EEPROM addresses that a request can name.
const eepromSize = 256

// ReadEEPROM fills p with the bytes of the EEPROM from address addr on
// (request V, §3.3.6). A damaged digit would make another byte, and the answer
// has nothing that tells: a byte counts once two readings of it agree, so that it
// takes two exchanges or more. No other request comes between them. If no two of
// some readings agree the error is an [*AnswerError]; if p reaches beyond address
// 0xFF it is [ErrOutOfRange]. After any error p holds nothing of use.
func (c *Client) ReadEEPROM(ctx context.Context, addr uint8, p []byte) error {
	return c.readEEPROMChecked(ctx, addr, p, nil)
}

// ConfirmEEPROM is ReadEEPROM for a p that holds what the EEPROM is expected to
// hold, such as what was written to it or read from it before. A byte that reads
// as it does takes one exchange. Errors are as for ReadEEPROM.
func (c *Client) ConfirmEEPROM(ctx context.Context, addr uint8, p []byte) error {
	return c.readEEPROMChecked(ctx, addr, p, p)
}

func (c *Client) readEEPROMChecked(ctx context.Context, addr uint8, p, expected []byte) error {
	op := fmt.Sprintf("read EEPROM 0x%02x", addr)
	if int(addr)+len(p) > eepromSize {
		return &Error{Op: op, Err: fmt.Errorf("%d bytes: %w", len(p), ErrOutOfRange)}
	}
	return c.request(ctx, op, func() error { return c.readEEPROM(ctx, addr, p, expected) })
}

// readEEPROM is ReadEEPROM for the owner of the link. expected is nil, or as
// long as p, and may be p.
func (c *Client) readEEPROM(ctx context.Context, addr uint8, p, expected []byte) error {
	same := func(a, b byte) bool { return a == b }
	for i := range p {
		at := addr + uint8(i)
		var known []byte
		if expected != nil {
			known = []byte{expected[i]}
		}
		seen, ok, err := agree(known, same, func() (b byte, err error) {
			err = c.ask(func() error { return c.readByte(ctx, at, &b) })
			return b, err
		})
		if err == nil && !ok {
			err = disagreement(fmt.Appendf(nil, "%02X", seen[len(seen)-1]))
		}
		if err != nil {
			return &Error{Op: fmt.Sprintf("read EEPROM 0x%02x", at), Err: err}
		}
		p[i] = seen[len(seen)-1]
	}
	return nil
}

// WriteEEPROM writes p to the EEPROM from address addr on (request W, §3.3.5),
// one exchange a byte. No other request comes between them. If p reaches
// beyond address 0xFF the error is [ErrOutOfRange], and nothing was sent.
//
// The error names the byte that failed. Those before it have been written; it
// has not if the error is [ErrRefused], and may or may not have been after any
// other. Wrong bytes below 0x1A make the meter measure wrongly: read the
// EEPROM before, to have a copy, and after, to compare.
func (c *Client) WriteEEPROM(ctx context.Context, addr uint8, p []byte) error {
	op := fmt.Sprintf("write EEPROM 0x%02x", addr)
	if int(addr)+len(p) > eepromSize {
		return &Error{Op: op, Err: fmt.Errorf("%d bytes: %w", len(p), ErrOutOfRange)}
	}
	return c.request(ctx, op, func() error {
		for i, b := range p {
			at := addr + uint8(i)
			err := c.prepare(ctx)
			if err == nil {
				err = c.exchange(ctx, fmt.Sprintf("W%02X%02X", at, b), judgeDone)
			}
			if err != nil {
				return &Error{Op: fmt.Sprintf("write EEPROM 0x%02x", at), Err: err}
			}
		}
		return nil
	})
}

func (c *Client) readByte(ctx context.Context, addr uint8, p *byte) error {
	if err := c.synchronise(ctx); err != nil {
		return err
	}
	return c.exchange(ctx, fmt.Sprintf("V%02X", addr), func(frame []byte) verdict {
		if b, ok := parseByte(frame); ok {
			*p = b
			return accept
		}
		return judgeOther(frame)
	})
}

// parseByte parses dd, the answer to V. It is the only answer of the meter
// without anything that says what it is.
func parseByte(frame []byte) (byte, bool) {
	if len(frame) != 2 {
		return 0, false
	}
	v, ok := parseHex(frame)
	return byte(v), ok
}
