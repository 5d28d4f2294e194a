package serve

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"powerspy2/internal/result"
	"powerspy2/internal/serve/api"
	"powerspy2/record"
)

const (
	// patience is how long the window that covers the end of a span is waited for.
	patience = 5 * time.Second

	// ahead is by how much a moment may be in the future: another program's clock
	// reading is some time under way, and rounded.
	ahead = 100 * time.Millisecond
)

// energy answers with the energy between two moments.
func (s *Server) energy(w http.ResponseWriter, r *http.Request, m *Meter) {
	now := time.Now().Round(0) // windows go by the wall clock
	q := r.URL.Query()
	var asked, moments [2]time.Time
	for i, name := range [...]string{"from", "to"} {
		text := q.Get(name)
		switch {
		case text == "" && name == "to", text == "now":
			asked[i], moments[i] = now, m.turns.placed(now, now)
			continue
		case text == "":
			refuse(w, http.StatusBadRequest, "from is missing: give UNIX seconds, or RFC 3339")
			return
		}
		t, err := parseMoment(text)
		if err != nil {
			refuse(w, http.StatusBadRequest, name+": "+err.Error())
			return
		}
		asked[i], moments[i] = t, m.turns.placed(t, now.Add(ahead))
		if late := moments[i].Sub(m.turns.placed(now, now)); late > ahead {
			refuse(w, http.StatusBadRequest, fmt.Sprintf("%s is %.1f s in the future", name, late.Seconds()))
			return
		}
	}
	from, to := moments[0], moments[1]
	if to.Before(from) {
		refuse(w, http.StatusBadRequest, "to is before from")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	_ = m.history.Wait(ctx, to) // what is missing then is a gap
	if r.Context().Err() != nil {
		return // nobody waits
	}
	j := m.span(from, to)
	j.Start, j.End = record.Seconds{Time: asked[0]}, record.Seconds{Time: asked[1]}
	for i := range j.Gaps {
		g := &j.Gaps[i]
		g.Start.Time, g.End.Time = m.turns.shown(g.Start.Time), m.turns.shown(g.End.Time)
	}
	reply(w, http.StatusOK, j)
}

// span returns the energy between two times of windows, as the API has it.
func (m *Meter) span(from, to time.Time) *api.Span {
	sp := m.history.Span(from, to)
	j := &api.Span{
		Start: record.Seconds{Time: from}, End: record.Seconds{Time: to}, Duration: sp.Duration().Seconds(),
		Coverage: sp.Coverage(), Windows: sp.Windows, Bridged: sp.Bridged,
		PowerMean: result.Number(sp.Power()), PowerMin: result.Number(sp.PowerMin), PowerMax: result.Number(sp.PowerMax),
		Gaps: []api.Gap{},
	}
	if sp.Covered > 0 {
		j.Energy, j.Uncertainty = result.Number(sp.Energy), result.Number(sp.Uncertainty.Expanded())
	}
	gap := func(start, end time.Time, reason string) {
		j.Gaps = append(j.Gaps, api.Gap{Start: record.Seconds{Time: start}, End: record.Seconds{Time: end}, Reason: reason})
	}
	if since := m.history.Since(); from.Before(since) {
		if to.Before(since) {
			since = to
		}
		gap(from, since, "nothing is remembered of it")
	}
	for _, g := range m.history.Gaps(from, to) {
		gap(g.From, g.To, g.Reason)
	}
	if reached := m.history.Reached(); reached.Before(to) {
		if reached.Before(from) {
			reached = from
		}
		reason := "it is not known yet"
		if state, why := m.State(); state != api.Up && why != "" {
			reason = why
		}
		gap(reached, to, reason)
	}
	return j
}
