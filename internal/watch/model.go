package watch

import (
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"powerspy2/measure"
)

// A Config says what a [Model] shows, and how.
type Config struct {
	// Name is the meter's, harmless to show.
	Name string

	// Span is how much time the chart has at first, up to an hour; 0: five minutes.
	Span time.Duration

	// Cost says what an energy in J costs; nil: nothing is said of it.
	Cost func(joules float64) string

	// Mark sets a mark, whose name is one, and has [Seen.Mark] told of it. Nil: it is
	// only shown.
	Mark func(measure.Mark)

	// Color allows colours, UTF8 characters beyond ASCII. Nothing is told by a
	// colour alone.
	Color, UTF8 bool

	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// A Model draws what was seen, and takes keys. It is a [tea.Model].
type Model struct {
	config Config
	seen   *Seen

	width, height int
	span          time.Duration
	fromZero      bool
	help          bool
	prompt        *prompt // a name is being typed

	since    time.Time    // what is counted from; zero: the first window
	counted  measure.Span // what was measured since then
	phases   []measure.PhaseEnergy
	lastSums time.Time // when the two were made
}

var _ tea.Model = (*Model)(nil)

const (
	// drawEvery is the time between two pictures: a terminal costs energy, too.
	drawEvery = 200 * time.Millisecond

	// sumEvery is the time between two sums over all windows.
	sumEvery = time.Second

	// mostPhases is how many phases are told of.
	mostPhases = 8
)

// spans are the times that a chart may have.
var spans = []time.Duration{
	30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute, longest,
}

// New returns a model of what was seen.
func New(cfg Config, seen *Seen) *Model {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m := &Model{config: cfg, seen: seen, span: min(cfg.Span, longest)}
	if m.span <= 0 {
		m.span = 5 * time.Minute
	}
	return m
}

// tick asks for the next picture.
type tick struct{}

func nextTick() tea.Cmd { return tea.Tick(drawEvery, func(time.Time) tea.Msg { return tick{} }) }

// Init implements [tea.Model].
func (m *Model) Init() tea.Cmd { return nextTick() }

// Update implements [tea.Model].
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tick:
		return m, nextTick()
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.PasteMsg:
		if m.prompt != nil {
			m.prompt.add(msg.Content)
		}
	case tea.KeyPressMsg:
		return m, m.key(msg)
	}
	return m, nil
}

// key does what a key says.
func (m *Model) key(msg tea.KeyPressMsg) tea.Cmd {
	switch key := msg.Keystroke(); {
	case key == "ctrl+c":
		return tea.Quit
	case key == "ctrl+z":
		return tea.Suspend
	case m.prompt != nil:
		m.answer(key, msg.Text)
		return nil
	case m.help:
		m.help = false
		if key == "q" {
			return tea.Quit
		}
		return nil
	}
	switch msg.String() {
	case "q":
		return tea.Quit
	case "?", "h":
		m.help = true
	case "r", "space":
		m.since, m.lastSums = m.config.Now(), time.Time{}
	case "m":
		m.prompt = &prompt{at: m.config.Now()}
	case "e":
		m.mark(measure.Mark{Time: m.config.Now(), End: true})
	case "+", "=":
		m.zoom(-1)
	case "-":
		m.zoom(1)
	case "0":
		m.fromZero = !m.fromZero
	}
	return nil
}

// zoom goes to the next shorter or longer span.
func (m *Model) zoom(by int) {
	i, found := slices.BinarySearch(spans, m.span)
	if by < 0 || found {
		i += by
	}
	m.span = spans[min(max(i, 0), len(spans)-1)]
}

// mark sets a mark.
func (m *Model) mark(mark measure.Mark) {
	m.lastSums = time.Time{}
	if m.config.Mark != nil {
		m.config.Mark(mark)
	} else {
		m.seen.Mark(mark)
	}
}

// sums counts what was measured since the key, and the phases, unless that was
// done a moment ago.
func (m *Model) sums(l *look) {
	now := m.config.Now()
	if !m.lastSums.IsZero() && now.Sub(m.lastSums) < sumEvery && !now.Before(m.lastSums) {
		return
	}
	m.lastSums = now
	from, to := m.since, now
	if from.IsZero() {
		from = l.first
	}
	if !l.trouble {
		// What comes a moment late is not missing.
		to = l.reached
	}
	m.counted = m.seen.history.Span(from, to)
	m.phases = m.seen.phases(to, mostPhases)
}
