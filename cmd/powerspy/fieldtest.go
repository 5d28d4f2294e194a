package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"powerspy2/internal/cli"
	"powerspy2/internal/field"
	"powerspy2/internal/fieldtest"
	"powerspy2/internal/shell"
	"powerspy2/meter"
)

func (a *app) fieldtestCommand() *cli.Command {
	return &cli.Command{
		Name:  "fieldtest",
		Usage: "write down how your meter behaves, for this program to learn from",
		Description: `Asks the meter for some five minutes all that is known of few or no meters, and
writes the answers to a file: identity, calibration, first frames and streams
with windows of 1, 2, 5, 10, 25 and 50 mains periods, mains frequency, a short
capture, the list of files on its SD card and the beginning of the smallest.
Nothing on the meter is changed, and Ctrl-C at any time leaves it as it was and
writes what was found until then. Whatever fails or is refused is a finding.

Serial number and addresses are replaced by stand-ins unless --keep-identity is
given; the load's power over some minutes is in the file. Please attach it to a
report: the simulated meter can then behave as yours (--device sim:field=FILE).

Examples:

    powerspy fieldtest
    powerspy fieldtest --output meter.json
    powerspy measure --device sim:field=field.json`,
		Flags: append([]*cli.Flag{
			{Name: outputFlag, Aliases: []string{"o"}, Takes: cli.File{}, Default: fieldFile, Usage: "write to `FILE`; - is standard output"},
			force(),
			{Name: "keep-identity", Usage: "leave serial number and addresses in the file"},
			pinFile(), pin(),
		}, a.globalFlags()...),
		Action: a.fieldtest,
	}
}

// fieldFile is where a field test is written unless told otherwise.
const fieldFile = "field.json"

func (a *app) fieldtest(c *cli.Context) error {
	to := newFile{cmp.Or(c.String(outputFlag), fieldFile), c.Bool(forceFlag)}
	if err := to.check(); err != nil {
		return err
	}
	s, err := a.session(c)
	if err != nil {
		return err
	}
	defer s.progress.End()
	found, err := fieldtest.Examine(c.Context, fieldtest.Config{
		Meter: s.meter, Program: versionText(), KeepIdentity: c.Bool("keep-identity"),
		Report: func(text string) { s.progress.Report(meter.Status{Text: text}) },
	})
	s.progress.End()
	if err != nil {
		if interrupted(c.Context, err) {
			s.progress.Line("interrupted before the meter was asked anything; nothing is written")
			return nil
		}
		return err
	}
	if err := a.saveField(to, found); err != nil {
		return err
	}
	if err := a.summarise(to.name, found); err != nil {
		return err
	}
	if !found.Interrupted && !anyFrames(found.Streams) {
		return &meter.Error{Kind: meter.ErrNoAnswer, Op: "field test", Err: errors.New("no window was measured; the file tells why")}
	}
	return nil
}

// saveField writes what was found. If the file can't be written after all, it
// goes to standard output: five minutes are not to be lost.
func (a *app) saveField(to newFile, found *field.File) error {
	err := to.write(a.env, func(w io.Writer) error { return field.Write(w, found) })
	if err == nil || to.name == standardOutput {
		return err
	}
	if werr := field.Write(a.env.stdout, found); werr != nil {
		return errors.Join(err, werr)
	}
	return advise(err, "what was found is on standard output instead")
}

// summarise says what was found, and what to do with the file.
func (a *app) summarise(name string, f *field.File) error {
	var b strings.Builder
	line := func(title, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s %s\n", title, fmt.Sprintf(format, args...))
	}
	line("meter", "V%d, firmware 0x%02x, hardware 0x%02x", f.Meter.Generation, f.Meter.Firmware, f.Meter.Hardware)
	through := f.Host.Link
	if adapter := f.Host.Adapter.String(); adapter != "" {
		through += ", adapter " + adapter
	}
	line("through", "%s", through)
	line("EEPROM", "%s", told(f.EEPROM.Outcome, "%d bytes", len(f.EEPROM.Bytes)))
	line("mains", "%s", told(f.Mains.Outcome, "%d answers, %s", len(f.Mains.Answers), hertzRange(f.Mains.Answers)))
	line("capture", "%s", told(f.Capture.Outcome, "A: %s; B: %s", told(f.Capture.Text.Outcome, "%d bytes", len(f.Capture.Text.Raw)),
		told(f.Capture.Binary.Outcome, "%d bytes", len(f.Capture.Binary.Raw))))
	line("SD card", "%s", told(f.Card.Outcome, "%d files", len(f.Card.Files)))
	b.WriteString("\n" + streamTable(f.Streams) + "\n")
	if f.Interrupted {
		b.WriteString("Interrupted: what was found until then is kept.\n")
	}
	where, again := name, shell.Quote(name)
	if name == standardOutput {
		where, again = "standard output", "FILE"
	}
	fmt.Fprintf(&b, "Written to %s. ", where)
	if f.Disguised {
		b.WriteString("Serial number and addresses in it are stand-ins.\n")
	} else {
		b.WriteString("The serial number and the addresses are in it.\n")
	}
	fmt.Fprintf(&b, "Please attach it to a report about powerspy: few meters are known, and each one helps.\nTo have a simulated meter that behaves as yours: powerspy measure --device sim:field=%s\n", again)
	w := a.env.stdout
	if name == standardOutput {
		w = a.env.stderr
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// told says what an outcome was: what was found, or why nothing.
func told(o field.Outcome, format string, args ...any) string {
	switch o.Status {
	case field.Done:
		return fmt.Sprintf(format, args...)
	case field.Failed:
		return "failed: " + o.Error
	case field.Silent:
		return "no answer"
	case field.Unsupported:
		return "not with this generation"
	}
	return string(o.Status)
}

func hertzRange(answers []field.MainsAnswer) string {
	if len(answers) == 0 {
		return "none"
	}
	low, high := answers[0].Hertz, answers[0].Hertz
	for _, a := range answers {
		low, high = min(low, a.Hertz), max(high, a.Hertz)
	}
	return fmt.Sprintf("%.3f to %.3f Hz", low, high)
}
