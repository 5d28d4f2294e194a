package watch

import (
	"strings"
	"time"
	"unicode/utf8"

	"powerspy2/internal/harmless"
	"powerspy2/measure"
)

// A prompt is a name of a mark while it is typed. The mark is of the moment at
// which the key was hit, not of that at which the name is known.
type prompt struct {
	at    time.Time
	text  string
	wrong string // why the text is no name
}

// add adds what was typed or pasted, as far as a name can have it: of several lines
// the first.
func (p *prompt) add(text string) {
	text, _, _ = strings.Cut(text, "\n")
	p.text += harmless.Text(strings.TrimRight(text, "\r"))
	for len(p.text) > measure.MaxName {
		p.back()
	}
	p.wrong = ""
}

// back removes the last character.
func (p *prompt) back() {
	_, size := utf8.DecodeLastRuneInString(p.text)
	p.text = p.text[:len(p.text)-size]
	p.wrong = ""
}

// answer takes a key while a name is typed.
func (m *Model) answer(key, text string) {
	switch p := m.prompt; key {
	case "esc":
		m.prompt = nil
	case "backspace":
		p.back()
	case "ctrl+u":
		p.text, p.wrong = "", ""
	case "enter":
		name := strings.TrimSpace(p.text)
		if err := measure.CheckName(name); err != nil {
			p.wrong = err.Error()
			return
		}
		m.prompt = nil
		m.mark(measure.Mark{Time: p.at, Name: name})
	default:
		if text != "" {
			p.add(text)
		}
	}
}

// label returns what stands before the name that is typed.
func (p *prompt) label() string { return "Name of the mark at " + p.at.Format(clockTime) + ": " }
