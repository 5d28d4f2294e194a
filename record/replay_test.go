package record

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/internal/output"
	"powerspy2/measure"
	"powerspy2/meter"
)

// texts are sinks that write readings of several intervals, with what becomes of
// them.
func texts(t *testing.T) ([]measure.Sink, []*bytes.Buffer) {
	t.Helper()
	var sinks []measure.Sink
	var all []*bytes.Buffer
	for _, interval := range []time.Duration{20 * time.Millisecond, 333 * time.Millisecond, time.Second, 10 * time.Second} {
		b := new(bytes.Buffer)
		sink, err := output.NewSink(output.JSONL, b, output.Options{})
		if err != nil {
			t.Fatal(err)
		}
		sinks, all = append(sinks, &measure.Every{Interval: interval, Out: sink.Event}), append(all, b)
	}
	return sinks, all
}

// A minute and more of a meter in trouble: windows left out, a link that breaks,
// silence. What is replayed gives the same lines, gaps and statuses included.
func TestReplayIsTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.jsonl.zst")
	var live []*bytes.Buffer
	var info meter.Info
	var outcome measure.Outcome
	synctest.Test(t, func(t *testing.T) {
		target, err := meter.ParseTarget("sim:link=a,seed=3,load=wave,drop=17s,silence=9s/3s,freq=49.97")
		if err != nil {
			t.Fatal(err)
		}
		src, err := meter.Supervise(t.Context(), meter.Config{Target: target}, meter.StreamConfig{}, meter.Recovery{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := OpenFile(t.Context(), path, FileConfig{})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Begin(NewHeader(src, "test")); err != nil {
			t.Fatal(err)
		}
		info = src.Info()
		sinks, out := texts(t)
		live = out
		enough := &measure.Every{Interval: time.Second, Duration: time.Minute, Out: func(*measure.Event) error { return nil }}
		outcome, err = measure.Run(t.Context(), src, append(append([]measure.Sink{f}, sinks...), enough)...)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	})
	if outcome.Gaps < 3 || outcome.Bridged < 10 {
		t.Errorf("not in much trouble: %+v", outcome)
	}
	src := open(t, path)
	got := src.Info()
	if got.Resolution() != info.Resolution() || got.Identity.Serial != info.Identity.Serial || got.Frequency != info.Frequency || src.Target().Kind != meter.Simulated {
		t.Errorf("the meter was %+v, and is %+v", info, got)
	}
	sinks, replayed := texts(t)
	again, err := measure.Run(t.Context(), src, sinks...)
	if err != nil {
		t.Fatal(err)
	}
	if again != outcome {
		t.Errorf("it was %+v, and is %+v", outcome, again)
	}
	for i := range live {
		if diff := cmp.Diff(bytes.Split(live[i].Bytes(), []byte("\n")), bytes.Split(replayed[i].Bytes(), []byte("\n"))); diff != "" {
			t.Errorf("%d: (-live +replayed): %s", i, diff[:min(len(diff), 3000)])
		}
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 100*int64(outcome.Windows+outcome.Bridged) {
		t.Errorf("%v bytes, %v", info.Size(), err)
	}
}
