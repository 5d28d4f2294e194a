package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"powerspy2/internal/field"
	"powerspy2/internal/fieldtest"
	"powerspy2/meter"
)

// stream watches the meter stream with windows of several lengths, as many as
// time allows. The meter has been stopped when it returns. Ctrl-C ends it, and
// what was found until then is told.
func (d *diagnosis) stream(ctx context.Context, duration time.Duration) (err error) {
	s := d.session
	m, err := meter.Open(ctx, s.meter)
	if err != nil {
		if interrupted(ctx, err) {
			return nil
		}
		return err
	}
	defer closing(&err, m)
	d.report.Device, d.report.Mains = m.Target().Device(), m.Info().Frequency
	adapter, err := m.Adapter(ctx)
	if err != nil {
		s.progress.Line("which adapter it is could not be found out: %s", sentence(err))
		adapter.Address = m.Target().Adapter
	}
	named := fieldtest.AdapterOf(adapter)
	d.report.BlueZ = adapter.BlueZ
	if m.Target().Kind == meter.Bluetooth {
		d.report.Adapter = &named
	}
	var streams []field.Stream
	lengths := streamLengths[:min(max(int(duration/streamShare), 1), len(streamLengths))]
	each := duration / time.Duration(len(lengths))
	for _, periods := range lengths {
		if ctx.Err() != nil {
			break
		}
		s.progress.Report(meter.Status{Text: fmt.Sprintf("measuring with windows of %s, for %v", fieldtest.Periods(periods), each)})
		stream, _ := fieldtest.Watch(ctx, m, periods, each) // the end of ctx ends the loop
		streams = append(streams, stream)
	}
	s.progress.End()
	d.report.add(streams)
	d.report.Advice = better(streams, reachedBy(m.Target(), named))
	if d.text {
		if err := d.writeStreams(streams, reachedBy(m.Target(), named)); err != nil {
			return err
		}
	}
	if ctx.Err() == nil && !anyFrames(streams) {
		why := errors.New("no frames came, whatever the length of windows")
		if longest := lengths[len(lengths)-1]; longest != streamLengths[len(streamLengths)-1] {
			why = advise(fmt.Errorf("no frames came with windows of up to %s", fieldtest.Periods(longest)), "longer ones are tried with a longer --duration")
		}
		return &meter.Error{Kind: meter.ErrNoAnswer, Op: "measure with " + m.Target().String(), Err: why}
	}
	return nil
}

// add adds streams to a report.
func (r *doctorReport) add(streams []field.Stream) {
	for _, s := range streams {
		line := doctorStream{Outcome: s.Outcome, Periods: s.Periods, Hertz: s.Hertz, Figures: s.Figures}
		for _, start := range s.Starts {
			line.First = &doctorFirst{start.Factor(), start.PeakRight()}
		}
		r.Streams = append(r.Streams, line)
	}
}

// reachedBy names what a meter is reached through.
func reachedBy(t meter.Target, a field.Adapter) string {
	if name := a.String(); t.Kind == meter.Bluetooth && name != "" {
		return "adapter " + name
	}
	return t.String()
}

func anyFrames(streams []field.Stream) bool {
	for _, s := range streams {
		if len(s.Frames) > 0 {
			return true
		}
	}
	return false
}

// writeStreams writes the table, and what would do better.
func (d *diagnosis) writeStreams(streams []field.Stream, through string) error {
	text := "\nthrough " + through + "\n" + streamTable(streams)
	for _, advice := range d.report.Advice {
		text += advice + "\n"
	}
	_, err := fmt.Fprint(d.session.env.stdout, text)
	return err
}
