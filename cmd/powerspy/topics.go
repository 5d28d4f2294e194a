package main

import (
	"fmt"
	"strings"

	"powerspy2/internal/cli"
	"powerspy2/internal/output"
	"powerspy2/meter"
)

// topics are the texts of `powerspy help` that belong to no single command. What
// they list comes from where the list is used.
var topics = []cli.Topic{
	{Name: "formats", Usage: "the output formats of readings", Text: formatsTopic},
	{Name: "recordings", Usage: "every window in a file, for later", Text: recordingsTopic},
	{Name: "devices", Usage: "how a meter is named", Text: devicesTopic},
	{Name: "recovery", Usage: "what happens when readings stop", Text: recoveryTopic},
}

func formatsTopic() string {
	return "Readings are written by `powerspy measure --format FORMAT`. FORMAT is one of\n\n" +
		indent(output.FormatNames()) + `
Without --format it is table on a terminal and plain elsewhere. The columns of
csv and table are chosen with --fields NAMES:

` + indent(output.FieldNames()) + `
Power and energy of table and plain are in the unit of --unit UNIT:

` + indent(output.UnitNames()) + `
Times of plain and csv are written as --time FORMAT says:

` + indent(output.TimeFormatNames()) + `
A gap is never written as a zero. Examples:

    powerspy measure --format csv --fields end,power,energy > run.csv
    powerspy measure --format plain --unit uJ --time ms > run.txt

docs/formats.md shows all formats.`
}

func recordingsTopic() string {
	return `powerspy measure --record FILE appends every window of the meter to FILE, along
with whatever else is written: JSON Lines, compressed by Zstandard if the name
ends in .zst. A crash costs a second at most.

--device FILE makes powerspy measure read it as if the meter measured once
more, but at once; powerspy convert FILE makes a table of it, as

` + indent(convertFormats) + `
powerspy report FILE makes a page of it, with power over time and the figures.
--from TIME, --to TIME and --phase NAME choose a part. TIME is a date and time,
UNIX seconds, or 90s after the start. Examples:

    powerspy measure --record run.jsonl.zst
    powerspy measure --device run.jsonl.zst --interval 250ms --format csv
    powerspy convert run.jsonl.zst --to parquet -o run.parquet
    powerspy convert run.jsonl.zst --phase compile > compile.csv
    powerspy report run.jsonl.zst -o report.html

docs/recordings.md has the format.`
}

func devicesTopic() string {
	return "A meter is named by --device METER, which is\n\n" +
		indent(strings.Split(deviceForms, ", ")) + `
A recording of powerspy measure --record, a file, stands for its meter where
nothing but readings are wanted. Without --device the meter that was set up is
used, and when none was, the one that is in reach.

The simulated meter, sim:, needs neither meter nor Bluetooth. Unless told
otherwise it is like a real one behind a poor adapter: its first frame is
wrong, others are late or left out. sim:link=ideal,first=clean has no such
troubles, and sim:replay=FILE streams a log of powerspy.py or powerspycli in
real time. powerspy measure and gmt read such a log at once: --device FILE.

A server is powerspy serve, which hands a meter to many programs, here and on
other machines; METER names one of several that it has. A meter that a server
on this machine has is read through it, without being told to.

Examples:

    powerspy scan
    powerspy info --device 00:0B:CE:07:1D:32
    powerspy measure --device sim:load=wave --count 5

docs/simulator.md tells the parameters of sim:, as does powerspy help sim.`
}

func recoveryTopic() string {
	b := &strings.Builder{}
	b.WriteString("When readings end, powerspy measure takes one step after the other, from the\n" +
		"least to the most disruptive, until the meter measures again:\n\n")
	for i, name := range stepNames() {
		fmt.Fprintf(b, "    %d %s\n", i+1, name)
	}
	b.WriteString(`
What was missed is a gap: no reading, and exit status 7 at the end. powerspy
recover takes the same steps by hand, and powerspy help recover explains them.

Examples:

    powerspy measure --give-up-after 10m
    powerspy recover --dry-run
    powerspy recover --from reconnect --to relink

docs/unattended.md explains how to measure for weeks.`)
	return b.String()
}

// stepNames lists the steps of a recovery in their order.
func stepNames() []string {
	var names []string
	for s := meter.Drain; s <= meter.PowerCycle; s++ {
		names = append(names, s.String())
	}
	return names
}

// indent writes words as indented lines, with commas, of up to 79 columns.
func indent(words []string) string {
	const margin, width = "    ", 79
	b := &strings.Builder{}
	line := margin
	for i, w := range words {
		if i < len(words)-1 {
			w += ","
		}
		if line != margin && len(line)+1+len(w) > width {
			b.WriteString(line + "\n")
			line = margin
		}
		if line != margin {
			line += " "
		}
		line += w
	}
	b.WriteString(line + "\n")
	return b.String()
}
