package main

import (
	"strings"
	"testing"
)

func TestTopicsFitATerminal(t *testing.T) {
	for _, topic := range topics {
		for line := range strings.Lines(topic.Text()) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 79 {
				t.Errorf("%s: %d columns: %s", topic.Name, n, line)
			}
		}
	}
}
