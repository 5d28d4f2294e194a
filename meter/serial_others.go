//go:build !linux

package meter

import (
	"errors"
	"fmt"
	"runtime"

	"powerspy2/powerspy"
)

// openSerial: serial lines are for those who still bind /dev/rfcommN, which
// is Linux's.
func openSerial(string) (powerspy.Link, error) {
	return nil, fmt.Errorf("serial lines on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
