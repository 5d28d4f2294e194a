// Package cli is the command line of a program with commands: what is typed, what
// help, the man page and completion say of it, and the errors of who mistypes.
// All of it follows from one description, a [Program] of [Command] and [Flag].
//
// Flags stand before, between or after arguments, and global ones before or
// after the command. -n 1, -n1, -qn1, --count 1 and --count=1 are the same, and
// -- ends the flags. A flag that is given twice is an error unless it is a list.
// What a flag or an argument takes is a [Type], so that the same kind of value
// is written, refused and completed alike everywhere:
//
//	&cli.Command{
//		Name: "wait", Usage: "wait for a meter",
//		Args: []cli.Arg{{Name: "METER", What: "the name of a meter"}},
//		Flags: []*cli.Flag{
//			{Name: "timeout", Aliases: []string{"t"}, Takes: cli.Duration{Examples: "10s, 1m"}, Usage: "give up after `TIME`"},
//		},
//		Action: func(c *cli.Context) error { return wait(c.Context, c.Arg(0), c.Duration("timeout")) },
//	}
package cli
