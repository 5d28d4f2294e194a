package powerspy

import (
	"context"
	"encoding/binary"
	"fmt"
)

// addrLogPeriod is the EEPROM address of the log period, least significant
// byte first.
const addrLogPeriod = 0x1A

// SetLogPeriod sets the time between two entries of the log on the SD card, in
// mains periods (request M, §3.4.10). Outside of 0 to [MaxLogPeriod] the error
// is [ErrOutOfRange]; V1 meters have no SD card: the error is
// [ErrNotSupported]. What a period of 0 makes the meter do is not known.
func (c *Client) SetLogPeriod(ctx context.Context, periods int) error {
	const op = "set the log period"
	if periods < 0 || periods > MaxLogPeriod {
		return &Error{Op: op, Err: fmt.Errorf("%d mains periods, not 0 to %d: %w", periods, MaxLogPeriod, ErrOutOfRange)}
	}
	return c.commandV2(ctx, op, fmt.Sprintf("M%04X", periods))
}

// LogPeriod reads the log period, in mains periods, from the EEPROM (address
// 0x1A, §3.3.6). It does not judge it: erased EEPROM says 65535. For V1 meters the error is
// [ErrNotSupported].
func (c *Client) LogPeriod(ctx context.Context) (int, error) {
	const op = "read the log period"
	var p [2]byte
	err := c.request(ctx, op, func() error {
		if err := c.needs(ctx, V2); err != nil {
			return err
		}
		return c.readEEPROM(ctx, addrLogPeriod, p[:], nil)
	})
	if err != nil {
		return 0, err
	}
	return int(binary.LittleEndian.Uint16(p[:])), nil
}

// StartLog starts logging to the SD card (request O, §3.4.11), which goes on
// until [Client.StopLog], also without a connection. V1 meters have no SD
// card: the error is [ErrNotSupported].
//
// Users report that meters hung after requests of the SD card until their
// power was cycled. Unless the error says that nothing was sent, or that the
// meter refused, the meter may be logging: stop it.
func (c *Client) StartLog(ctx context.Context) error {
	return c.commandV2(ctx, "start logging", "O")
}

// StopLog stops logging to the SD card (request P, §3.4.12). V1 meters have no
// SD card: the error is [ErrNotSupported]. A meter that was not logging may
// refuse.
func (c *Client) StopLog(ctx context.Context) error {
	return c.commandV2(ctx, "stop logging", "P")
}
