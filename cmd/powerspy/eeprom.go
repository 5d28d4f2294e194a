package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/xdg"
	"powerspy2/meter"
)

func (a *app) eepromCommand() *cli.Command {
	return a.group(cli.Command{
		Name:  "eeprom",
		Usage: "show, save and change the meter's EEPROM",
		Description: `The EEPROM has 256 bytes: serial number, calibrations and settings.

Examples:

    powerspy eeprom dump
    powerspy eeprom backup meter.bin`,
	}, &cli.Command{
		Name:  "dump",
		Usage: "show all bytes, and what the known ones mean",
		Description: `Example:

    powerspy eeprom dump`,
		Action: a.eepromDump,
	}, &cli.Command{
		Name:  "read",
		Usage: "show one byte",
		Args:  []cli.Arg{{Name: "ADDRESS", What: "an address, hexadecimal from 00 to ff", Takes: hexByte{"address"}}},
		Description: `Example:

    powerspy eeprom read 0x1a`,
		Action: a.eepromRead,
	}, &cli.Command{
		Name:  "backup",
		Usage: "save all bytes to a file",
		Args:  []cli.Arg{{Name: "FILE", What: "a file", Optional: true, Takes: cli.File{}}},
		Description: `A file that exists is not replaced unless --force is given: an older backup may
be the only good one.

Examples:

    powerspy eeprom backup meter.bin
    powerspy eeprom backup -o - | xxd`,
		Flags:  []*cli.Flag{outputTo("write to `FILE`, as the argument does; - is standard output"), force()},
		Action: a.eepromBackup,
	}, &cli.Command{
		Name:  "write",
		Usage: "change bytes, after a backup",
		Args: []cli.Arg{
			{Name: "ADDRESS", What: "an address, hexadecimal from 00 to ff", Takes: hexByte{"address"}},
			{Name: "BYTE", What: "bytes, hexadecimal from 00 to ff", Takes: hexByte{"byte"}, Repeats: true},
		},
		Description: `Bytes are hexadecimal. The whole EEPROM is saved first; what was written is read
back, and the old bytes are restored if it differs.

Example:

    powerspy eeprom write --i-understand 0x1a 64 00`,
		Flags: []*cli.Flag{
			{Name: "i-understand", Usage: "proceed although wrong bytes can make the meter useless"},
			{Name: "calibration", Usage: "also the calibration, addresses 02 to 19"},
			{Name: "backup", Takes: cli.File{}, Usage: "save the EEPROM to this new `FILE`", Default: "one in $XDG_STATE_HOME/powerspy"},
		},
		Action: a.eepromWrite,
	})
}

// eepromFields are the known fields: numbers have their low byte first, scales
// are 32-bit floats, dates are year, month and day.
var eepromFields = []struct {
	addr, size int
	name       string
}{
	{0x00, 2, "serial number"},
	{0x02, 4, "factory voltage calibration"}, {0x06, 4, "factory current calibration"}, {0x0A, 4, "date of the factory calibration"},
	{0x0E, 4, "voltage calibration"}, {0x12, 4, "current calibration"}, {0x16, 4, "date of the calibration"},
	{0x1A, 2, "log period"},
}

func (a *app) eepromDump(c *cli.Context) error {
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		p, err := s.readEEPROM(ctx, m)
		if err != nil {
			return err
		}
		text := hex.Dump(p) + "\n"
		for _, f := range eepromFields {
			text += fmt.Sprintf("%02x  % x  %s\n", f.addr, p[f.addr:f.addr+f.size], f.name)
		}
		_, err = fmt.Fprint(a.env.stdout, text)
		return err
	})
}

// readEEPROM reads all bytes, which takes many seconds.
func (s *session) readEEPROM(ctx context.Context, m *meter.Meter) ([]byte, error) {
	done := s.progress.Transfer("reading the EEPROM", meter.EEPROMSize)
	defer s.progress.End()
	p := make([]byte, meter.EEPROMSize)
	for i := 0; i < len(p); i += 8 {
		if err := m.ReadEEPROM(ctx, uint8(i), p[i:i+8]); err != nil {
			return nil, err
		}
		done(int64(i + 8))
	}
	return p, nil
}

func (a *app) eepromRead(c *cli.Context) error {
	addr := cli.ArgValue[uint8](c, 0)
	return a.withMeter(c, func(ctx context.Context, _ *session, m *meter.Meter) error {
		var p [1]byte
		if err := m.ReadEEPROM(ctx, addr, p[:]); err != nil {
			return err
		}
		_, err := fmt.Fprintf(a.env.stdout, "%02x\n", p[0])
		return err
	})
}

func (a *app) eepromBackup(c *cli.Context) error {
	name, err := writtenFile(c, 0)
	switch {
	case err != nil:
		return err
	case name == "":
		return c.Usagef("eeprom backup needs a file")
	}
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		_, err := s.backup(ctx, m, newFile{name, c.Bool(forceFlag)})
		return err
	})
}

func (a *app) eepromWrite(c *cli.Context) error {
	addr := cli.ArgValue[uint8](c, 0)
	var p []byte
	for i := 1; i < len(c.Args()); i++ {
		p = append(p, cli.ArgValue[uint8](c, i))
	}
	switch {
	case int(addr)+len(p) > meter.EEPROMSize:
		return c.Usagef("%d bytes at 0x%02x go past the end of the EEPROM, 0xff", len(p), addr)
	case !c.Bool("i-understand"):
		return c.Usagef("wrong bytes can make the meter useless; add --i-understand to write")
	case meter.TouchesCalibration(addr, len(p)) && !c.Bool("calibration"):
		return c.Usagef("addresses 02 to 19 hold the calibration, and wrong bytes there make every reading wrong; add --calibration to write them")
	}
	name := c.String("backup")
	return a.withMeter(c, func(ctx context.Context, s *session, m *meter.Meter) error {
		if name == "" {
			dir, err := stateDir(a.env.getenv)
			if err != nil {
				return fmt.Errorf("%w; name a file with --backup", err)
			}
			name = filepath.Join(dir, fmt.Sprintf("eeprom-%d-%s.bin", m.Info().Identity.Serial, time.Now().Format("20060102-150405.000")))
		}
		all, err := s.backup(ctx, m, newFile{name: name})
		if errors.Is(err, fs.ErrExist) {
			return advise(err, "give --backup another file")
		}
		if err != nil {
			return err
		}
		s.progress.Line("saved the EEPROM to %s", name)
		s.progress.Working("writing the EEPROM")
		if err := m.WriteEEPROM(ctx, addr, p, all[addr:int(addr)+len(p)]); err != nil {
			return err
		}
		s.progress.End()
		_, err = fmt.Fprintf(a.env.stdout, "wrote and verified %d bytes at 0x%02x\n", len(p), addr)
		return err
	})
}

// backup saves the EEPROM to a file.
func (s *session) backup(ctx context.Context, m *meter.Meter, f newFile) ([]byte, error) {
	// It takes half a minute to read: what keeps it from being written is told
	// before.
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	p, err := s.readEEPROM(ctx, m)
	if err != nil {
		return nil, err
	}
	if err := f.writeText(s.env, string(p)); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	return p, nil
}

// stateDir is the directory for what is to be kept, which it makes if it must.
func stateDir(getenv func(string) string) (string, error) {
	dir, err := xdg.State(getenv)
	if err != nil {
		return "", fmt.Errorf("no place for a backup: %w", err)
	}
	return dir, os.MkdirAll(dir, 0o700)
}

// A hexByte is an address in the EEPROM or a byte of it.
type hexByte struct{ noun string }

func (h hexByte) Noun() string  { return h.noun }
func (hexByte) Use() string     { return "a hexadecimal number from 00 to ff" }
func (hexByte) Words() []string { return nil }

func (hexByte) Parse(text string) (any, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 8)
	if err != nil {
		return nil, cli.ErrInvalid
	}
	return uint8(n), nil
}
