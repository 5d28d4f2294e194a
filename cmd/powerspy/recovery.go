package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/progress"
	"powerspy2/meter"
)

const (
	giveUpFlag     = "give-up-after"
	resetFlag      = "allow-adapter-reset"
	powerCycleFlag = "power-cycle-command"
)

const recoveryCategory = "Recovery"

// recoveryFlags say what may be done to get a meter to measure again.
func recoveryFlags() []*cli.Flag {
	return []*cli.Flag{
		{Name: resetFlag, Category: recoveryCategory, Usage: "reset the adapter even if other devices use it"},
		{Name: powerCycleFlag, Category: recoveryCategory, Takes: cli.Text{}, Usage: "run `COMMAND` as the last step, to cut the meter's power"},
	}
}

// giveUpTime is what --give-up-after takes.
var giveUpTime = cli.Duration{Examples: "30s, 10m, 2h"}

// giveUp is the flag of what measures for long.
func giveUp() *cli.Flag {
	return &cli.Flag{
		Name: giveUpFlag, Category: recoveryCategory, Takes: giveUpTime, Default: "never; 2m for the first",
		Usage: "end after `TIME` without a reading",
	}
}

// parseRecovery reads those flags.
func parseRecovery(c *cli.Context) (meter.Recovery, error) {
	r := meter.Recovery{AllowAdapterReset: c.Bool(resetFlag), GiveUpAfter: c.Duration(giveUpFlag)}
	if c.IsSet(powerCycleFlag) {
		command := c.String(powerCycleFlag)
		if strings.TrimSpace(command) == "" {
			return r, c.Usagef("the power-cycle command is empty")
		}
		r.PowerCycle = func(ctx context.Context) error { return runInShell(ctx, command) }
	}
	return r, nil
}

// shellPatience is how long the pipes of a command that was ended may stay open.
const shellPatience = time.Second

// runInShell runs a command of the user's. What it says is part of its error.
func runInShell(ctx context.Context, command string) error {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.WaitDelay = shellPatience
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	if said := bytes.TrimSpace(out); len(said) > 0 {
		lines := bytes.Split(said, []byte("\n"))
		return fmt.Errorf("%w: %s", err, lines[len(lines)-1])
	}
	return err
}

func (a *app) recoverCommand() *cli.Command {
	return &cli.Command{
		Name:  "recover",
		Usage: "recover a meter that has stopped measuring",
		Description: `Says what it sees, and takes one step after the other, from the least to the
most disruptive, until the meter measures:

    1 drain            tell the meter to stop and to start again
    2 reconnect        a new connection
    3 relink           end the radio link, then a new connection
    4 rebond           pair again, when the meter refuses this machine's key
    5 reset-adapter    switch the Bluetooth adapter off and on
    6 restart-service  restart the Bluetooth service, where this user may
    7 power-cycle      run --power-cycle-command

` + "`powerspy measure`" + ` does the same by itself. Exit status: 0 the meter measures
again, 6 its power has to be cut for a moment by hand. The power-cycle command
cuts the power of what the meter feeds, too, for some seconds.

Examples:

    powerspy recover
    powerspy recover --dry-run
    powerspy recover --from reconnect --to relink`,
		Flags: append(append([]*cli.Flag{
			{Name: "from", Takes: recoveryStep{}, Default: "the first", Usage: "begin with `STEP`, a number or a name"},
			{Name: "to", Takes: recoveryStep{}, Default: "the last", Usage: "take no step after `STEP`"},
			{Name: "dry-run", Usage: "only show what would be done"},
			pinFile(), pin(),
		}, recoveryFlags()...), a.globalFlags()...),
		Action: a.recover,
	}
}

func (a *app) recover(c *cli.Context) error {
	rc := meter.RecoverConfig{
		DryRun: c.Bool("dry-run"),
		From:   cli.Value[meter.Step](c, "from"), To: cli.Value[meter.Step](c, "to"),
	}
	var err error
	if rc.Recovery, err = parseRecovery(c); err != nil {
		return err
	}
	s, err := a.session(c)
	if err != nil {
		return err
	}
	defer s.progress.End()
	var broken error
	err = meter.Recover(c.Context, s.meter, rc, func(st meter.Status) {
		if _, werr := fmt.Fprintf(a.env.stdout, "%s %s\n", st.Time.Format(progress.TimeOfDay), st.Text); werr != nil {
			broken = werr
		}
	})
	return errors.Join(err, broken)
}

// A recoveryStep is a step of a recovery, by its number or its name.
type recoveryStep struct{}

func (recoveryStep) Noun() string                   { return "step" }
func (recoveryStep) Parse(text string) (any, error) { return meter.ParseStep(text) }
func (recoveryStep) Words() []string                { return stepNames() }

func (recoveryStep) Use() string {
	return fmt.Sprintf("a number from 1 to %d or one of %s", meter.PowerCycle, strings.Join(stepNames(), ", "))
}
