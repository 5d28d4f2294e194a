package main

import (
	"strings"

	"powerspy2/internal/cli"
)

// The PIN of a meter is given in a file, in a variable, or at the prompt: every
// user of the machine can read the arguments of a process (ps, /proc/PID/cmdline),
// but only its owner can read its environment. It is never logged, traced or
// stored.

const (
	pinFlag     = "pin"
	pinFileFlag = "pin-file"
	pinVariable = "POWERSPY_PIN"
)

// pinFile and pin are the flags of a command that may have to pair with a meter.
func pinFile() *cli.Flag {
	return &cli.Flag{
		Name: pinFileFlag, Takes: cli.File{},
		Usage: "read the meter's PIN from `FILE`, in place of the usual 1234 and 0000",
	}
}

func pin() *cli.Flag {
	return &cli.Flag{
		Name: pinFlag, Takes: cli.Text{}, Env: pinVariable,
		Usage: "the meter's `PIN`; typed here it shows in ps to all users",
	}
}

// givenPIN returns the PIN that a command was given, "" if none.
func (s *session) givenPIN(c *cli.Context) (string, error) {
	if !c.IsSet(pinFileFlag) {
		return c.String(pinFlag), nil
	}
	if c.IsTyped(pinFlag) {
		return "", c.Usagef("give --%s or --%s, not both", pinFileFlag, pinFlag)
	}
	name := c.String(pinFileFlag)
	line, err := s.firstLine(name, "PIN")
	if err != nil {
		return "", c.Usagef("--%s %s: %w", pinFileFlag, name, err)
	}
	pin := strings.TrimSpace(line)
	if pin == "" {
		return "", c.Usagef("--%s %s: the first line is empty; it has to be the PIN", pinFileFlag, name)
	}
	return pin, nil
}
