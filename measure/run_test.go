package measure_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/measure"
	"powerspy2/measure/measuretest"
	"powerspy2/meter"
)

// A note is a sink that notes what it was given.
type note struct {
	events []meter.EventKind
	ended  int
	event  func(n int) error // the n-th event's error; nil: none
	end    error
}

func (s *note) Event(e *meter.Event) error {
	s.events = append(s.events, e.Kind)
	if s.event != nil {
		return s.event(len(s.events))
	}
	return nil
}

func (s *note) End() error {
	s.ended++
	return s.end
}

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const period = 20 * time.Millisecond

// after returns an error for the n-th event on.
func after(n int, err error) func(int) error {
	return func(i int) error {
		if i < n {
			return nil
		}
		return err
	}
}

// TestRunEnds: however a measurement ends, sinks finish once, the meter is told
// to stop once, and the source is closed once.
func TestRunEnds(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name   string
		src    measuretest.Source
		event  func(int) error // of the first sink
		end    error
		cancel bool // the context ends after the last event
		want   error
		stop   bool // the error is a StopError
		events int
		ended  [2]int
		inter  bool
	}{
		{name: "the end of a recording", events: 10, ended: [2]int{1, 1}},
		{name: "enough", event: after(3, measure.Done), events: 3, ended: [2]int{1, 1}},
		{name: "the source gives up", src: measuretest.Source{Err: broken}, want: broken, events: 10, ended: [2]int{1, 1}},
		{name: "a link that was closed", src: measuretest.Source{Err: fmt.Errorf("gave up: %w", io.EOF)}, want: io.EOF, events: 10, ended: [2]int{1, 1}},
		{name: "a sink fails", event: after(4, broken), want: broken, events: 4, ended: [2]int{0, 1}},
		{name: "a sink has enough and fails", event: after(4, errors.Join(measure.Done, broken)), want: broken, events: 4, ended: [2]int{0, 1}},
		{name: "a sink fails at the end", end: broken, want: broken, events: 10, ended: [2]int{1, 1}},
		{name: "interrupted", cancel: true, events: 10, ended: [2]int{1, 1}, inter: true},
		{name: "closing fails", src: measuretest.Source{CloseErr: broken}, want: broken, events: 10, ended: [2]int{1, 1}},
		{name: "stopping fails", src: measuretest.Source{StopErr: broken}, want: broken, stop: true, events: 10, ended: [2]int{1, 1}},
		{name: "what fails first is told", src: measuretest.Source{StopErr: errors.New("stop")}, event: after(1, broken), want: broken, events: 1, ended: [2]int{0, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				src := tt.src
				src.Events = measuretest.Windows(begin, 9, period, 100)
				src.Events = slices.Insert(src.Events, 5, measuretest.Gap(begin.Add(5*period), time.Second, 0))
				if tt.cancel {
					src.Context = ctx
					time.AfterFunc(time.Minute, cancel)
				}
				first, second := &note{event: tt.event, end: tt.end}, &note{}
				out, err := measure.Run(ctx, &src, first, second)
				if !errors.Is(err, tt.want) {
					t.Errorf("unexpected error: %v", err)
				}
				var stop *measure.StopError
				if errors.As(err, &stop) != tt.stop {
					t.Errorf("a StopError: %v, in %v", !tt.stop, err)
				}
				if len(first.events) != tt.events {
					t.Errorf("%d events, want %d", len(first.events), tt.events)
				}
				if diff := cmp.Diff(tt.ended, [2]int{first.ended, second.ended}); diff != "" {
					t.Errorf("sinks that ended (-want +got):\n%s", diff)
				}
				if src.Stopped != 1 || src.Closed != 1 {
					t.Errorf("stopped %d times, closed %d times", src.Stopped, src.Closed)
				}
				if out.Interrupted != tt.inter {
					t.Errorf("unexpected outcome %+v", out)
				}
			})
		})
	}
}

// TestRunOutcome counts what came.
func TestRunOutcome(t *testing.T) {
	src := &measuretest.Source{Events: measuretest.Windows(begin, 9, period, 100)}
	src.Events[3].Window.Bridged = true
	src.Events = append(src.Events, measuretest.Gap(begin.Add(9*period), 3*time.Second, 150))
	got, err := measure.Run(t.Context(), src, &note{})
	if err != nil {
		t.Fatal(err)
	}
	want := measure.Outcome{Windows: 8, Bridged: 1, Measured: 9 * period, Gaps: 1, Lost: 3 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unexpected outcome (-want +got):\n%s", diff)
	}
}

// TestRunHeldUp: a sink that hangs keeps neither the end nor the meter's stop
// from coming.
func TestRunHeldUp(t *testing.T) {
	for _, back := range []time.Duration{100 * time.Millisecond, 700 * time.Millisecond, time.Hour} {
		t.Run(back.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				src := &measuretest.Source{Events: measuretest.Windows(begin, 9, period, 100), Context: ctx}
				time.AfterFunc(time.Minute, cancel)
				hangs := &note{event: func(int) error { time.Sleep(time.Minute + back); return errors.New("at last") }}
				start := time.Now()
				_, err := measure.Run(ctx, src, hangs)
				took := time.Since(start) - time.Minute
				if held := errors.Is(err, measure.ErrHeldUp); held != (back == time.Hour) || err == nil {
					t.Errorf("unexpected error: %v", err)
				}
				if took > time.Second {
					t.Errorf("it took %v to end", took)
				}
				if src.Stopped != 1 || src.Closed != 1 {
					t.Errorf("stopped %d times, closed %d times", src.Stopped, src.Closed)
				}
				time.Sleep(2 * time.Hour) // until the sink has come back
			})
		})
	}
}

// TestRunPanic: a sink that panics ends the process, and the meter is stopped before.
func TestRunPanic(t *testing.T) {
	if os.Getenv("TEST_PANIC") != "" {
		src := &saysStop{Source: measuretest.Source{Events: measuretest.Windows(begin, 9, period, 100)}}
		_, err := measure.Run(t.Context(), src, &note{event: func(int) error { panic("out of order") }})
		t.Fatalf("it went on: %v", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRunPanic$")
	cmd.Env = append(os.Environ(), "TEST_PANIC=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the meter was told to stop\n") || !strings.Contains(string(out), "panic: out of order") {
		t.Errorf("%v\n%s", err, out)
	}
}

// saysStop says when it is stopped.
type saysStop struct{ measuretest.Source }

func (s *saysStop) Stop(ctx context.Context) error {
	fmt.Println("the meter was told to stop")
	return s.Source.Stop(ctx)
}
