package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/energy"
	"powerspy2/internal/figures"
	"powerspy2/internal/harmless"
	"powerspy2/internal/screen"
	"powerspy2/internal/serve/client"
	"powerspy2/internal/watch"
	"powerspy2/measure"
	"powerspy2/meter"
)

func (a *app) watchCommand() *cli.Command {
	return &cli.Command{
		Name:  "watch",
		Usage: "show on the terminal what the meter measures, as it does",
		Description: `Fills the terminal: the power in large digits, a chart of the last minutes from
the lowest to the highest window of each column, the energy since a key with
its uncertainty, and how good the link is. Gaps are shown, in the chart too.

Keys: q quits, r counts from now on, m marks this moment with a name, e ends
its phase, + and - change the time of the chart, 0 has it begin at 0 W, ? helps.

Windows are one mains period long unless --averaging says otherwise, so that
short peaks are seen. --record FILE keeps them, and the marks. NO_COLOR is
obeyed, and a locale without UTF-8 gets ASCII. For a screen reader or a file
there is ` + "`powerspy measure`" + `.

Examples:

    powerspy watch
    powerspy watch --span 30m --cost 0.32/kWh
    powerspy watch --record run.jsonl.zst
    powerspy watch --device sim:load=server`,
		Flags: append([]*cli.Flag{
			{Name: "interval", Aliases: []string{"i"}, Takes: cli.Duration{Examples: "250ms, 1s, 10s"}, Default: "1s", Usage: "the digits are means over `TIME`: 250ms, 1s..."},
			{Name: "span", Takes: cli.Duration{Examples: "1m, 5m, 1h"}, Default: "5m", Usage: "the chart has `TIME` at first, 1h at most"},
			{Name: "cost", Takes: factorValue{example: "0.32/kWh"}, Usage: "tell the cost at `PRICE`: 0.32/kWh"},
			recordTo(),
			{Name: syncFlag, Takes: cli.Duration{Examples: "1s, 5s, 1m", Zero: true}, Default: "never", Usage: "flush --record to the disk every `TIME`: 5s, 1m..."},
			pinFile(), pin(), giveUp(),
		}, slices.Concat(jobStreamFlags(), recoveryFlags(), a.globalFlags())...),
		Action: a.watch,
	}
}

// A watchView is what watch was asked to show.
type watchView struct {
	interval time.Duration
	span     time.Duration
	cost     *energy.Factor
}

// What watch needs to draw.
var (
	errNoTerminal = &meter.Error{Kind: meter.ErrUsage, Op: "watch", Err: errors.New("standard output is no terminal to draw on")}
	errDumb       = &meter.Error{Kind: meter.ErrUsage, Op: "watch", Err: errors.New("the terminal knows no escape sequences (TERM says so)")}
	errPast       = &meter.Error{Kind: meter.ErrUsage, Op: "watch", Err: errors.New("it shows what a meter measures now, not what a file has recorded")}
)

func (a *app) watch(c *cli.Context) (err error) {
	const instead = "`powerspy measure` writes readings as lines"
	switch {
	case !a.env.stdoutTerminal:
		return advise(errNoTerminal, instead)
	case screen.Dumb(a.env.getenv):
		return advise(errDumb, instead)
	case c.Bool(verboseFlag) && a.env.stderrTerminal:
		return c.Usagef("--verbose has no place on a terminal that is drawn on; 2> FILE gives it one")
	}
	view := watchView{interval: time.Second, span: c.Duration("span")}
	if c.IsSet("interval") {
		view.interval = c.Duration("interval")
	}
	if err := meter.CheckInterval(view.interval); err != nil {
		return err
	}
	if c.IsSet("cost") {
		view.cost = new(cli.Value[energy.Factor](c, "cost"))
	}
	plan, err := parseWatch(c)
	if err != nil {
		return err
	}
	s, err := a.session(c)
	if err != nil {
		return err
	}
	defer s.progress.End()
	if _, file := recording(s.meter.Target); file {
		return advise(errPast, "`powerspy measure --device FILE` makes readings of it")
	}
	rec, err := s.recording(c)
	if err != nil {
		return err
	}
	defer rec.closing(&err)
	err = s.watch(c.Context, &view, &plan, rec)
	if interrupted(c.Context, err) {
		return nil
	}
	return err
}

// watch opens the meter, and shows it until a key, the end of ctx or of the meter.
func (s *session) watch(ctx context.Context, view *watchView, plan *watchPlan, rec *recorder) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	board := &board{progress: s.progress, marks: rec.Mark}
	s.meter.Report, s.onMark = board.report, board.mark
	src, err := s.liveSource(ctx, plan.stream, plan.recovery)
	if err != nil {
		return err
	}
	s.progress.End()
	s.rememberFirst(src.Target())
	if err := rec.Begin(src); err != nil {
		return errors.Join(err, stopAndClose(ctx, src))
	}
	var clock time.Duration
	if r, ok := src.(measure.Remote); ok {
		clock = r.ClockError()
	}
	seen := watch.NewSeen(view.interval, src.Info().Resolution(), clock)
	board.open(seen)
	type result struct {
		out measure.Outcome
		err error
	}
	ended := make(chan result, 1)
	measuring, over := context.WithCancel(ctx)
	go func() {
		defer over()
		out, err := measure.Run(ctx, src, append(rec.Sinks(), seen)...)
		ended <- result{out, err}
	}()

	cfg := s.watchConfig(src.Target(), view)
	var sending sync.WaitGroup // marks
	if cfg.Mark, err = s.marker(measuring, src.Target(), board, &sending); err != nil {
		board.note(sentence(err))
	}
	model := watch.New(cfg, seen)
	uerr := s.draw(measuring, model)
	cancel()
	sending.Wait()
	r := <-ended
	board.close()
	if r.err == nil || r.out.Windows > 0 {
		s.progress.Line("%s", model.Summary())
	}
	if stop, ok := errors.AsType[*measure.StopError](r.err); ok {
		s.progress.Line("%s", sentence(stop))
		r.err = nil
	}
	return cmp.Or(r.err, uerr)
}

// watchConfig says what is shown of a meter.
func (s *session) watchConfig(t meter.Target, view *watchView) watch.Config {
	name := harmless.Text(t.Label())
	if t.IsSimulated() {
		name += " (simulated)"
	}
	cfg := watch.Config{
		Name: name, Span: view.span,
		Color: s.env.getenv("NO_COLOR") == "", UTF8: utf8Locale(s.env.getenv),
	}
	if f := view.cost; f != nil {
		cfg.Cost = func(joules float64) string {
			return strings.TrimSpace(figures.Significant(f.Of(joules)) + " " + f.Unit)
		}
	}
	return cfg
}

// marker returns what sets marks. Those of a server's meter are set at the server,
// which tells them to all who read it, while the picture goes on.
func (s *session) marker(ctx context.Context, t meter.Target, b *board, sending *sync.WaitGroup) (func(measure.Mark), error) {
	if t.Kind != meter.Served {
		return b.mark, nil
	}
	login, err := s.login(t.Server)
	if err != nil {
		return b.mark, err
	}
	return func(m measure.Mark) {
		sending.Go(func() {
			c := client.New(login)
			defer c.Close()
			if err := c.SetMark(ctx, m); err != nil && ctx.Err() == nil {
				b.note(sentence(err))
			}
		})
	}, nil
}

// utf8Locale reports whether a terminal shows UTF-8, as the locale has it: see
// locale(7).
func utf8Locale(getenv func(string) string) bool {
	name := strings.ToLower(cmp.Or(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG")))
	return strings.Contains(name, "utf-8") || strings.Contains(name, "utf8")
}
