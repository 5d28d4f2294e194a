package report

import (
	"strings"
	"testing"

	"powerspy2/internal/result"
)

// A log of another program does not say which meter it is of: 0 is no serial number.
func TestUnknownMeter(t *testing.T) {
	m := result.Meter{Name: "log.tsv"}
	for _, text := range []string{meterText(m), instrument(m)} {
		if strings.Contains(text, "number 0") || strings.Contains(text, "version 0") || !strings.Contains(text, "log.tsv") {
			t.Errorf("a meter that tells nothing is %q", text)
		}
	}
}
