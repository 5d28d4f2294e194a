package mqtt

import (
	"bytes"
	"strconv"

	"powerspy2/internal/output"
	"powerspy2/measure"
)

// readings returns the sink that makes readings of windows, for the loop that
// publishes them. It never waits: of readings that are not published in time the
// last one counts.
func (p *publication) readings() measure.Sink {
	var line bytes.Buffer
	lines, err := output.NewSink(output.JSONL, &line, output.Options{})
	if err != nil {
		panic(err) // there are no options to be wrong
	}
	return &measure.Every{Interval: p.config.Interval, Out: func(e *measure.Event) error {
		if e.Kind != measure.ReadingEvent {
			return nil
		}
		line.Reset()
		if err := lines.Event(e); err != nil {
			return err
		}
		p.offer(p.payload(line.Bytes()))
		return nil
	}}
}

// payload returns a reading with the energy counter as its last key: that of
// measuring, total_J, goes back where power flows backwards.
func (p *publication) payload(line []byte) []byte {
	object := bytes.TrimSuffix(line, []byte("}\n"))
	b := append(make([]byte, 0, len(object)+32), object...)
	b = append(b, `,"counter_J":`...)
	b = strconv.AppendFloat(b, p.meter.Totals.Snapshot().Counter, 'f', 6, 64)
	return append(b, '}')
}

// offer replaces the reading that waits to be published. Only the sink calls it.
func (p *publication) offer(payload []byte) {
	select {
	case <-p.reading:
	default:
	}
	p.reading <- payload
}
