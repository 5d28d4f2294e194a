package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"powerspy2/internal/cli"
	"powerspy2/internal/result"
	"powerspy2/meter"
	"powerspy2/powerspy"
)

func (a *app) infoCommand() *cli.Command {
	return &cli.Command{
		Name:  "info",
		Usage: "show the meter's identity, calibrations and mains frequency",
		Description: `Identity, firmware, hardware generation, serial number, calibrations with their
dates, mains frequency and status.

Examples:

    powerspy info
    powerspy info --device sim: --format json`,
		Flags: append([]*cli.Flag{
			{Name: "format", Aliases: []string{"f"}, Takes: cli.Choice{"text", "json"}, Default: "text", Usage: "write `FORMAT`: text or json"},
			pinFile(), pin(),
		}, a.globalFlags()...),
		Action: a.info,
	}
}

func (a *app) info(c *cli.Context) error {
	return a.withMeter(c, func(_ context.Context, _ *session, m *meter.Meter) error {
		if c.String("format") == "json" {
			return writeInfoJSON(a.env.stdout, m.Info())
		}
		return writeInfoText(a.env.stdout, m.Info())
	})
}

func writeInfoText(w io.Writer, info meter.Info) error {
	id := info.Identity
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-20s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("meter", "%s", info.Target)
	line("serial number", "%d", id.Serial)
	line("firmware", "0x%02x", id.Firmware)
	line("hardware", "0x%02x (generation %s)", id.Hardware, id.Generation())
	line("status", "%s", id.Status)
	line("mains", "%.2f Hz (PLL %s)", info.Frequency, locked(id))
	for _, cal := range calibrations(info) {
		inForce := ""
		if cal.inForce {
			inForce = ", in force"
		}
		line(cal.name+" calibration", "%.9g V and %.9g A a count, of %s%s", cal.Voltage, cal.Current, cal.Date, inForce)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func locked(id powerspy.Identity) string {
	if id.PLLLocked {
		return "locked"
	}
	return "not locked"
}

type namedCalibration struct {
	name    string
	inForce bool
	powerspy.Calibration
}

func calibrations(info meter.Info) []namedCalibration {
	return []namedCalibration{
		{"factory", info.UsesFactory, info.Calibrations.Factory},
		{"current", !info.UsesFactory, info.Calibrations.Current},
	}
}

// jsonInfo is the machine-readable form, with units in its names.
type jsonInfo struct {
	Device       string            `json:"device"`
	Address      string            `json:"address,omitempty"`
	Name         string            `json:"name,omitempty"`
	Serial       uint16            `json:"serial"`
	Firmware     uint8             `json:"firmware"`
	Hardware     uint8             `json:"hardware"`
	Generation   string            `json:"generation"`
	Status       string            `json:"status"`
	PLLLocked    bool              `json:"pll_locked"`
	Frequency    float64           `json:"mains_frequency_hz"`
	Calibrations []jsonCalibration `json:"calibrations"`
}

type jsonCalibration struct {
	Name    string   `json:"name"`
	InForce bool     `json:"in_force"`
	Sane    bool     `json:"sane"`
	Voltage *float64 `json:"volts_per_count"`
	Current *float64 `json:"amperes_per_count"`
	Date    *string  `json:"date"` // null: not a day
}

func writeInfoJSON(w io.Writer, info meter.Info) error {
	id := info.Identity
	j := jsonInfo{
		Device: info.Target.Device(), Name: info.Target.Name,
		Serial: id.Serial, Firmware: id.Firmware, Hardware: id.Hardware, Generation: id.Generation().String(),
		Status: id.Status.String(), PLLLocked: id.PLLLocked, Frequency: info.Frequency,
	}
	if info.Target.Kind == meter.Bluetooth {
		j.Address = info.Target.Address.String()
	}
	for _, cal := range calibrations(info) {
		jc := jsonCalibration{
			Name: cal.name, InForce: cal.inForce, Sane: cal.Sane(),
			Voltage: result.Number(cal.Voltage), Current: result.Number(cal.Calibration.Current),
		}
		if cal.Date.Valid() {
			date := cal.Date.String()
			jc.Date = &date
		}
		j.Calibrations = append(j.Calibrations, jc)
	}
	return result.Write(w, j)
}
