package fieldtest

import (
	"context"
	"errors"
	"time"

	"powerspy2/internal/field"
	"powerspy2/powerspy"
)

const (
	// captureTime bounds the capture and each of its answers, which takes half
	// a second if all goes well.
	captureTime    = 15 * time.Second
	capturePeriods = 2

	// firstBlocks is how much of a log is read: two blocks of 2048 bytes.
	firstBlocks = 2 * 2048
)

// capture makes a short capture, and reads it in both ways. Its length and its
// trigger, which is none, are those of the next capture too, unless that says
// otherwise, as every client does.
func (e *examiner) capture() {
	c := &e.file.Capture
	c.Periods = capturePeriods
	e.step("capturing a waveform", &c.Outcome, captureTime, e.acquire)
	defer e.cancelCapture()
	read := func(a *field.Answer, request func(context.Context, int) (*powerspy.Capture, error)) {
		if c.Status != field.Done {
			a.Outcome = field.Outcome{Status: field.NotAsked, Error: "there is no capture"}
			return
		}
		e.step("reading the capture", &a.Outcome, captureTime, func(ctx context.Context) error {
			got, err := request(ctx, capturePeriods)
			if got != nil {
				a.Raw = got.Raw // also of an answer that was not understood
			}
			return err
		})
	}
	read(&c.Text, e.m.Client().ReadCapture)
	read(&c.Binary, e.m.Client().ReadCaptureBinary)
}

func (e *examiner) acquire(ctx context.Context) error {
	c := e.m.Client()
	if err := c.SetCaptureLength(ctx, capturePeriods); err != nil {
		return err
	}
	if err := c.SetTrigger(ctx, powerspy.Trigger{}); err != nil {
		return err
	}
	if err := c.StartCapture(ctx); err != nil {
		return err
	}
	return c.WaitCapture(ctx, nil)
}

// cancelCapture ends a capture, also after ctx. One that was complete is gone
// with it.
func (e *examiner) cancelCapture() {
	if e.lost != nil || e.file.Capture.Status == field.NotAsked && e.ctx.Err() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), leaveTime)
	defer cancel()
	_ = e.m.Client().CancelCapture(ctx) // a meter that does not listen shows at the next step
}

// card lists the files on the SD card, and reads the beginning of the smallest.
func (e *examiner) card() {
	card := &e.file.Card
	e.step("listing the files on the SD card", &card.Outcome, cardTime, func(ctx context.Context) error {
		list, err := e.m.Files(ctx)
		if err != nil {
			return err
		}
		card.Raw = string(list.Raw)
		for _, f := range list.Files {
			card.Files = append(card.Files, field.Log{Name: f.Name, Size: f.Size})
		}
		return nil
	})
	first := &card.First
	smallest := smallest(card.Files)
	switch {
	case card.Status != field.Done:
		first.Outcome = field.Outcome{Status: field.NotAsked, Error: "there is no list of files"}
		return
	case smallest == nil:
		first.Outcome = field.Outcome{Status: field.NotAsked, Error: "there is no file that is not empty"}
		return
	}
	first.Name = smallest.Name
	e.step("reading the beginning of "+smallest.Name, &first.Outcome, cardTime, func(ctx context.Context) error {
		w := &beginning{}
		err := e.m.FetchFile(ctx, powerspy.File{Name: smallest.Name, Size: smallest.Size}, w, nil)
		first.Bytes = w.bytes
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	})
}

// smallest returns the smallest file that is not empty; nil if there is none.
func smallest(files []field.Log) *field.Log {
	var least *field.Log
	for i := range files {
		if f := &files[i]; f.Size > 0 && (least == nil || f.Size < least.Size) {
			least = f
		}
	}
	return least
}

// errEnough ends the transfer of a file.
var errEnough = errors.New("the first blocks are enough")

// beginning keeps the first blocks of a file, and ends its transfer after them.
type beginning struct{ bytes []byte }

func (b *beginning) Write(p []byte) (int, error) {
	b.bytes = append(b.bytes, p[:min(len(p), firstBlocks-len(b.bytes))]...)
	if len(b.bytes) == firstBlocks {
		return len(p), errEnough
	}
	return len(p), nil
}
