package bench

import (
	"strconv"

	"powerspy2/internal/harmless"
)

// quoted makes the name of a command harmless in a message.
func quoted(name string) string { return strconv.Quote(harmless.Text(name)) }
