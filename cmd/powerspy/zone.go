package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	_ "time/tzdata" // for machines without a database of time zones

	"powerspy2/internal/cli"
)

// inZone is an action of a command that writes local times.
func (a *app) inZone(action func(*cli.Context) error) func(*cli.Context) error {
	return func(c *cli.Context) error {
		if err := checkZone(a.env.getenv); err != nil {
			return err
		}
		return action(c)
	}
}

// checkZone refuses a TZ that package time can't load: it would take it for UTC
// without a word, and write times that are hours off.
func checkZone(getenv func(string) string) error {
	given := getenv("TZ")
	name := strings.TrimPrefix(given, ":")
	var err error
	switch {
	case name == "":
		return nil
	case filepath.IsAbs(name):
		var data []byte
		if data, err = os.ReadFile(name); err == nil {
			_, err = time.LoadLocationFromTZData(name, data)
		}
	default:
		_, err = time.LoadLocation(name)
	}
	if err == nil {
		return nil
	}
	return &cli.UsageError{
		Text: fmt.Sprintf("the environment variable TZ is %q, which is not a known time zone; set it to one such as Europe/Berlin, or unset it for the zone of this machine", given),
		Help: "powerspy help measure", Err: err,
	}
}
