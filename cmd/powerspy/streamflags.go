package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/meter"
)

const (
	averagingFlag  = "averaging"
	liveFlag       = "live"
	maxBridgedFlag = "max-bridged"
)

// streamFlags say how a meter streams.
func streamFlags() []*cli.Flag {
	return []*cli.Flag{
		{Name: averagingFlag, Takes: averaging{}, Default: "auto", Usage: "let the meter average over `N` mains periods"},
		{Name: liveFlag, Usage: "do not wait until times are exact: readings come at once"},
		{Name: maxBridgedFlag, Takes: percentage{}, Default: "10%", Usage: "warn when the meter leaves out more than `PERCENT` of the windows"},
	}
}

// parseStream reads them.
func parseStream(c *cli.Context, interval time.Duration) meter.StreamConfig {
	sc := meter.StreamConfig{Interval: interval, Live: c.Bool(liveFlag)}
	if c.IsSet(averagingFlag) {
		sc.Averaging = cli.Value[int](c, averagingFlag)
	}
	if c.IsSet(maxBridgedFlag) {
		sc.MaxLeftOut = cli.Value[float64](c, maxBridgedFlag)
	}
	return sc
}

// averaging is a number of mains periods, or auto, which is 0.
type averaging struct{}

func (averaging) Noun() string    { return "number" }
func (averaging) Use() string     { return "auto, or a whole number of mains periods, 1 or more" }
func (averaging) Words() []string { return []string{"auto", "1", "5", "50"} }

func (averaging) Parse(text string) (any, error) {
	if text == "auto" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return nil, cli.ErrInvalid
	}
	return n, nil
}

// percentage is a share above 0 and up to 1, with a percent sign.
type percentage struct{}

func (percentage) Noun() string    { return "percentage" }
func (percentage) Use() string     { return "for example 10%, 2.5%" }
func (percentage) Words() []string { return []string{"1%", "10%", "50%"} }

func (percentage) Parse(text string) (any, error) {
	number, ok := strings.CutSuffix(text, "%")
	if !ok {
		return nil, fmt.Errorf("the percent sign is missing")
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v > 0 && v <= 100) {
		return nil, cli.ErrInvalid
	}
	return v / 100, nil
}
