package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files again")

// TestGolden compares what measure and gmt write for the same stream, byte for
// byte, with what they wrote before.
func TestGolden(t *testing.T) {
	const (
		link  = "delay=8ms,jitter=6ms,stall=0.01,drift=200ppm,load=server,low=20,seed=3"
		lossy = link + ",noise=0.02"
		drops = link + ",drop=15s" // after 10 s a step counts as having helped, and no pause is drawn
	)
	tests := []struct{ name, args string }{
		{"plain", "measure --duration 3s -i 100ms --format plain -d sim:" + link},
		{"csv", "measure --duration 12s --format csv -d sim:" + link},
		{"periods", "measure -n 200 -i 20ms --format csv -d sim:" + link},
		{"averaging", "measure -n 20 -i 250ms --averaging 5 --format csv -d sim:" + link},
		{"lossy", "measure -n 60 -i 250ms --format jsonl -d sim:" + lossy},
		{"drops", "measure -n 32 --format jsonl -d sim:" + drops},
		{"oscar", "measure -n 32 --format oscar -d sim:" + drops},
		{"influx", "measure -n 5 --format influx -d sim:" + link},
		{"summary", "measure --duration 10s -i 1s --summary --format plain -d sim:" + link},
	}
	local := time.Local
	time.Local = time.UTC
	defer func() { time.Local = local }()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			home := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				run(t.Context(), env{
					args: append([]string{"powerspy"}, strings.Fields(tt.args)...), stdout: &out, stderr: &errs,
					getenv:    func(k string) string { return map[string]string{"HOME": home, "XDG_RUNTIME_DIR": home}[k] },
					interrupt: func() {},
				})
			})
			got := out.String() + "-- standard error --\n" + errs.String()
			file := filepath.Join("testdata", "golden", tt.name)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("unexpected output (-want +got):\n%s", diff)
			}
		})
	}
}
