package energy

import (
	"io"
	"strings"
	"time"
)

// Actions writes the phases as the log of actions that KDE's OSCAR reads beside a
// power file: local time, what happened, and the name.
func (r *Result) Actions(w io.Writer) error {
	line := func(at time.Time, what string) string {
		return at.Local().Format(time.DateTime) + ";" + what + "\n"
	}
	name := strings.NewReplacer(";", ",", "\n", " ")
	var b strings.Builder
	b.WriteString(line(r.From, "startTestrun"))
	for _, p := range r.Phases {
		b.WriteString(line(p.From, "startAction;"+name.Replace(p.Name)))
		b.WriteString(line(p.To, "stopAction"))
	}
	b.WriteString(line(r.To, "stopTestrun"))
	_, err := io.WriteString(w, b.String())
	return err
}
