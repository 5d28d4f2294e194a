package cli

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// Whatever is typed is understood or refused, and can be completed.
func FuzzRun(f *testing.F) {
	for _, line := range []string{
		"measure -qn1 --unit=W", "get NAME -- -q", "run -q ls -l", "bench -P n 1 10 -i=1 sort", "-d a clock help set",
		"measure -\xff", "measure -é=1", "--", "-", "measure --=x", "put -.5", "help clock get", "measure -n", "measure --unit",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var got string
		p := testProgram(nil, map[string]string{"DEVICE": "x"}, &got)
		p.Stdout = io.Discard
		args := append([]string{"prog"}, strings.Split(line, " ")...)
		var usage *UsageError
		if err := p.Run(t.Context(), args); err != nil && !errors.As(err, &usage) {
			t.Errorf("got %v", err)
		}
		if err := p.Run(t.Context(), append(args, completeFlag)); err != nil {
			t.Errorf("completing: got %v", err)
		}
	})
}
