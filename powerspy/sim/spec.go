package sim

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Example is a specification that ParseSpec accepts, for help texts.
const Example = "load=wave,freq=49.985,drift=20ppm,link=b"

// A Key describes one parameter of a specification.
type Key struct {
	Name        string // What stands before the =, such as "load".
	Value       string // What its value looks like, such as "DURATION".
	Description string // What it does, in one line.
	set         func(c *Config, value string) error
}

var keys = []Key{
	{"gen", "1|2", "hardware generation", func(c *Config, v string) error {
		n, err := whole(v, 1, 2)
		c.Generation, c.Hardware = Generation(n), 0
		return err
	}},
	{"serial", "NUMBER", "serial number, 1 to 65535", func(c *Config, v string) error {
		n, err := whole(v, 1, 65535)
		c.Serial = uint16(n)
		return err
	}},
	{"seed", "NUMBER", "of everything random; the same seed repeats a run", func(c *Config, v string) (err error) {
		if c.Seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			return fmt.Errorf("%q is not a whole number", v)
		}
		return nil
	}},
	{loadKey, "SHAPE", "constant, step, wave, server, inrush, zero (nothing plugged in), cpu (this machine's use) or file:PATH (the watts in it)", func(c *Config, v string) error {
		shape, path, _ := strings.Cut(v, ":")
		c.Load, c.LoadPath = Load(shape), path
		if c.Load != LoadFile && path != "" {
			return fmt.Errorf("%q: only file has a path", v)
		}
		return nil
	}},
	{"watts", "NUMBER", "power of the constant load, largest power of the others", func(c *Config, v string) (err error) {
		c.Power, err = positive(v)
		return err
	}},
	{"low", "NUMBER", "smallest power of the step, wave, server, inrush and cpu loads, in watts", func(c *Config, v string) (err error) {
		c.LowPower, err = number(v)
		return err
	}},
	{"period", "DURATION", "of the step, wave and inrush loads", func(c *Config, v string) (err error) {
		if c.LoadPeriod, err = duration(v); err == nil && c.LoadPeriod == 0 {
			err = errors.New("a load cannot have a period of 0")
		}
		return err
	}},
	{"inrush", "AMPERES", "peak current when the inrush load is switched on, up to 17", func(c *Config, v string) (err error) {
		c.Inrush, err = positive(v)
		return err
	}},
	{"pf", "NUMBER", "power factor of the load, up to 1", func(c *Config, v string) (err error) {
		c.PF, err = positive(v)
		return err
	}},
	{"volts", "NUMBER", "mains voltage", func(c *Config, v string) (err error) {
		c.Voltage, err = positive(v)
		return err
	}},
	{"freq", "NUMBER", "mean mains frequency in hertz", func(c *Config, v string) (err error) {
		c.Frequency, err = positive(v)
		return err
	}},
	{"drift", "NUMBERppm", "largest wander of the mains frequency", func(c *Config, v string) error {
		n, err := number(strings.TrimSuffix(v, "ppm"))
		c.Drift = n / 1e6
		return err
	}},
	{"first", "LAW|K[/AFTER]", "first frame after J: runs-on, cleared or clean; K is 1 to 50; AFTER is a time", func(c *Config, v string) (err error) {
		c.First, err = parseFirst(v)
		return err
	}},
	{linkKey, "a|b|c|ideal|exponential", "how frames arrive: as seen with three adapters, at once, or delay and jitter", func(*Config, string) error {
		return nil // ParseSpec has chosen it before the other keys.
	}},
	{"poll", "DURATION", "of links a, b and c: time from when the radio closes until it is polled", func(c *Config, v string) (err error) {
		c.Radio.Poll, err = duration(v)
		return err
	}},
	{"held", "FRACTION", "of links a, b and c: share of polls up to which the radio takes no frame but one", func(c *Config, v string) (err error) {
		c.Radio.Held, err = number(v)
		return err
	}},
	{"queue", "FRAMES", "of links a, b and c: how many frames wait for the next poll", func(c *Config, v string) (err error) {
		c.Radio.Queue, err = whole(v, 0, backlog)
		return err
	}},
	{"delay", "DURATION", "constant delay of the link, each way", func(c *Config, v string) (err error) {
		c.Delay, err = duration(v)
		return err
	}},
	{"jitter", "DURATION", "mean of the random delay of the link, each way", func(c *Config, v string) (err error) {
		c.Jitter, err = duration(v)
		return err
	}},
	{"stall", "FRACTION", "share of frames that the link stalls", func(c *Config, v string) (err error) {
		c.Stall, err = number(v)
		return err
	}},
	{"stallmin", "DURATION", "shortest stall", func(c *Config, v string) (err error) {
		c.StallMin, err = duration(v)
		return err
	}},
	{"stallmax", "DURATION", "longest stall", func(c *Config, v string) (err error) {
		c.StallMax, err = duration(v)
		return err
	}},
	{replayKey, "FILE", "a recording of powerspy.py or powerspycli to stream at each J instead of the load", func(c *Config, v string) (err error) {
		c.Replay, err = OpenRecording(v)
		return err
	}},
	{fieldKey, "FILE", "a real meter to behave as, from the file of powerspy fieldtest", func(*Config, string) error {
		return nil // ParseSpec has read it before the other keys.
	}},
	{"repeat", "", "the recording starts again when it is over", func(c *Config, v string) (err error) {
		c.Repeat, err = truth(v)
		return err
	}},
	{"eol", "lfcr|crlf|lf|none", "what is sent between frames", func(c *Config, v string) error {
		eol, ok := map[string]string{"lfcr": "\n\r", "crlf": "\r\n", "lf": "\n", "none": EOLNone}[v]
		if !ok {
			return fmt.Errorf("%q is not one of lfcr, crlf, lf, none", v)
		}
		c.EOL = eol
		return nil
	}},
	{"dots", "", "Q, E, M and O are answered <K.> as the specification prints it", func(c *Config, v string) (err error) {
		c.Dots, err = truth(v)
		return err
	}},
	{"files", "SIZE/SIZE...", "files on the SD card, in bytes, or none", func(c *Config, v string) (err error) {
		c.Files, err = sizes(v)
		return err
	}},
	{"logperiod", "PERIODS", "mains periods between two entries of the log, 0 to 5000", func(c *Config, v string) error {
		n, err := whole(v, 0, 5000)
		c.LogPeriod = uint16(n)
		return err
	}},
	{"lose", "FRACTION", "fault: share of answers that get lost", func(c *Config, v string) (err error) {
		c.Faults.Lose, err = number(v)
		return err
	}},
	{"loghang", "", "fault: the meter hangs after O and P, until its power is cycled", func(c *Config, v string) (err error) {
		c.Faults.LogHang, err = truth(v)
		return err
	}},
	{"busy", "refuse|wait|replace", "what becomes of a second connection", func(c *Config, v string) error {
		c.Busy = Busy(v)
		return nil
	}},
	{refuseFault, "LETTERS", "fault: commands answered <Z>", func(c *Config, v string) error {
		c.Faults.Refuse = v
		return nil
	}},
	{muteFault, "LETTERS", "fault: commands done but not answered", func(c *Config, v string) error {
		c.Faults.Mute = v
		return nil
	}},
	{garbageFault, "LETTERS", "fault: commands done but answered with nonsense", func(c *Config, v string) error {
		c.Faults.Garbage = v
		return nil
	}},
	{noiseFault, "FRACTION", "fault: share of real-time frames that arrive corrupted", func(c *Config, v string) (err error) {
		c.Faults.Noise, err = number(v)
		return err
	}},
	{chopFault, "", "fault: bytes are delivered 1 to 7 at a time", func(c *Config, v string) (err error) {
		c.Faults.Chop, err = truth(v)
		return err
	}},
	{silenceFault, "AFTER[/FOR]", "fault: so long into each connection nothing arrives any more, or for so long", func(c *Config, v string) (err error) {
		after, length, limited := strings.Cut(v, "/")
		if c.Faults.SilenceAfter, err = later(after); err == nil && limited {
			c.Faults.SilenceFor, err = later(length)
		}
		return err
	}},
	{dropFault, "AFTER", "fault: so long into each connection the link is closed", func(c *Config, v string) (err error) {
		c.Faults.DropAfter, err = later(v)
		return err
	}},
	{hangFault, "AFTER", "fault: so long into each connection the meter is deaf and mute, until a new one", func(c *Config, v string) (err error) {
		c.Faults.HangAfter, err = later(v)
		return err
	}},
	{skipFault, "FRACTION[xRUN]|RUN/EVERY", "fault: share of windows left out, RUN in a row; or the last RUN of EVERY", func(c *Config, v string) error {
		return parseSkip(&c.Faults, v)
	}},
	{"cap", "RATE", "fault: at most so many frames a second are sent", func(c *Config, v string) (err error) {
		c.Faults.Cap, err = positive(v)
		return err
	}},
	{"fast", "FACTOR", "fault: frames come FACTOR times as fast as the mains allow", func(c *Config, v string) (err error) {
		c.Faults.Fast, err = positive(v)
		return err
	}},
	{"refuse-under", "PERIODS", "fault: J is refused for windows of fewer periods", func(c *Config, v string) (err error) {
		c.Faults.RefuseUnder, err = whole(v, 1, math.MaxUint16)
		return err
	}},
	{"silent-under", "PERIODS", "fault: J is done for windows of fewer periods, but no frames come", func(c *Config, v string) (err error) {
		c.Faults.SilentUnder, err = whole(v, 1, math.MaxUint16)
		return err
	}},
	{lateFault, "AFTER/FOR", "fault, once: all is held back for so long, then comes at once", func(c *Config, v string) (err error) {
		if !strings.Contains(v, "/") {
			return fmt.Errorf("%q has no /FOR: what is late has to come in the end", v)
		}
		c.Faults.Late, err = span(v)
		return err
	}},
	{deadFault, "AFTER[/FOR]", "fault, once: the meter is deaf and mute; so long later its power is cycled", func(c *Config, v string) (err error) {
		c.Faults.Dead, err = span(v)
		return err
	}},
	{awayFault, "AFTER[/FOR]", "fault, once: the link is closed, and none opens for so long", func(c *Config, v string) (err error) {
		c.Faults.Away, err = span(v)
		return err
	}},
	{slowFault, "DURATION", "fault: connecting takes so long", func(c *Config, v string) (err error) {
		c.Faults.SlowConnect, err = duration(v)
		return err
	}},
	{"battery", "MEAN", "every fault in random order, one in so long, each over within 10s", func(c *Config, v string) (err error) {
		c.Faults.Battery, err = later(v)
		return err
	}},
}

// loadKey names the load; one that follows the processors draws, unless told
// otherwise, so many watts at no and at full use.
const (
	loadKey              = "load"
	idlePower, fullPower = 30, 100
)

// linkKey names the link, which says what the other keys about it start from.
const linkKey = "link"

// replayKey names a recording, which has a link and a first frame of its own.
const replayKey = "replay"

// fieldKey names a field test, which all other keys start from.
const fieldKey = "field"

// Keys returns the parameters of a specification, in the order in which to
// present them.
func Keys() []Key { return slices.Clone(keys) }

// ParseSpec returns the configuration that a specification describes: what
// follows "sim:" in the name of a device, key=value pairs separated by commas.
// What is not named is as in DefaultConfig. An unknown or repeated key, a value
// that can't be read, and a Config that [Config.Validate] refuses are errors.
func ParseSpec(spec string) (Config, error) {
	given, err := parsePairs(spec)
	if err != nil {
		return Config{}, err
	}
	c := DefaultConfig()
	c.choose(given.link())
	if given.value(loadKey) == string(LoadCPU) {
		c.LowPower, c.Power = idlePower, fullPower
	}
	if given.has(replayKey) {
		c.First, c.Drift = First{Law: FirstClean}, 0
	}
	for _, p := range given {
		if p.Name != fieldKey {
			continue
		}
		f, err := OpenField(p.value)
		if err != nil {
			return Config{}, fmt.Errorf("simulator parameter %s: %w", fieldKey, err)
		}
		f.configure(&c)
	}
	for _, p := range given {
		if err := p.set(&c, p.value); err != nil {
			return Config{}, fmt.Errorf("simulator parameter %s: %w", p.Name, err)
		}
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("simulator parameters %q: %w", spec, err)
	}
	return c, nil
}

// A pair is a parameter with its value.
type pair struct {
	Key
	value string
}

type pairs []pair

// parsePairs takes a specification apart.
func parsePairs(spec string) (pairs, error) {
	var given pairs
	for text := range strings.SplitSeq(spec, ",") {
		text = strings.TrimSpace(text)
		if text == "" && spec == "" {
			break
		}
		name, value, hasValue := strings.Cut(text, "=")
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown simulator parameter %q: the parameters are %s; for example %s", name, keyNames(), Example)
		}
		k := keys[i]
		if given.has(name) {
			return nil, fmt.Errorf("simulator parameter %s is given twice", name)
		}
		if k.Value != "" && (!hasValue || value == "") {
			return nil, fmt.Errorf("simulator parameter %s needs a value: %s=%s", name, name, k.Value)
		}
		given = append(given, pair{k, value})
	}
	return given, nil
}

func (g pairs) has(names ...string) bool {
	return slices.ContainsFunc(g, func(p pair) bool { return slices.Contains(names, p.Name) })
}

// value returns what a parameter was given, "" if it was not.
func (g pairs) value(name string) string {
	for _, p := range g {
		if p.Name == name {
			return p.value
		}
	}
	return ""
}

// link returns the link that a specification names. One that tells delays or
// stalls without naming it means the exponential one, whose they are.
func (g pairs) link() Link {
	if g.has(linkKey) {
		return Link(g.value(linkKey))
	}
	if g.has("delay", "jitter", "stall", "stallmin", "stallmax") {
		return LinkExponential
	}
	if g.has(replayKey, fieldKey) {
		return LinkIdeal
	}
	return LinkA
}

func keyNames() string {
	var names []string
	for _, k := range keys {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}

func whole(v string, low, high int) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%q is not a whole number from %d to %d", v, low, high)
	}
	return n, nil
}

func number(v string) (float64, error) {
	n, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", v)
	}
	return n, nil
}

func positive(v string) (float64, error) {
	n, err := number(v)
	if err == nil && !(n > 0) {
		err = fmt.Errorf("%q is not above 0", v)
	}
	return n, err
}

func duration(v string) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration such as 8ms or 2s", v)
	}
	return d, nil
}

// later is a duration that is not 0, which in Faults stands for never.
func later(v string) (time.Duration, error) {
	d, err := duration(v)
	if err == nil && d == 0 {
		err = fmt.Errorf("%q is not above 0", v)
	}
	return d, err
}

// span is AFTER or AFTER/FOR. A fault that lasts may begin at once.
func span(v string) (s Span, err error) {
	after, length, limited := strings.Cut(v, "/")
	if !limited {
		s.After, err = later(after)
		return s, err
	}
	if s.After, err = duration(after); err == nil {
		s.For, err = later(length)
	}
	return s, err
}

// truth is the value of a switch: the key alone turns it on.
func truth(v string) (bool, error) {
	if v == "" {
		return true, nil
	}
	on, err := strconv.ParseBool(v)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", v)
	}
	return on, nil
}
