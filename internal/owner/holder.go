package owner

import (
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"powerspy2/internal/harmless"
)

// A Holder is the process that holds a meter.
type Holder struct {
	PID     int       `json:"pid"`
	User    string    `json:"user"`
	Command string    `json:"command"` // without secrets
	Since   time.Time `json:"since"`

	// Socket is the path of the Unix socket on which the holder, a server, hands on
	// what the meter measures (internal/serve/api); empty: it does not.
	Socket string `json:"socket,omitempty"`
}

// Self describes this process, which runs args.
func Self(args []string) Holder {
	name := strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return Holder{PID: os.Getpid(), User: name, Command: commandLine(args), Since: time.Now()}
}

// String returns the holder as a person would name it, such as
//
//	pid 123 (user alice, `powerspy measure --output power.csv`) since 12:03
func (h Holder) String() string {
	if h.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("pid %d (user %s, `%s`) since %s", h.PID, h.User, h.Command, since(h.Since, time.Now()))
}

// since writes a moment of the past, with its day if that is not today's.
func since(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// secrets are the flags whose values are nobody else's business.
var secrets = []string{"pin"}

// maxCommand bounds a command line, in bytes.
const maxCommand = 200

// commandLine returns a command as it could have been typed, without secrets.
func commandLine(args []string) string {
	words := make([]string, len(args))
	hide := false
	for i, arg := range args {
		if i == 0 {
			arg = filepath.Base(arg)
		}
		flag, value, assigned := strings.Cut(arg, "=")
		isFlag := strings.HasPrefix(flag, "-") && slices.Contains(secrets, strings.TrimLeft(flag, "-"))
		switch {
		case hide:
			arg = "***"
		case isFlag && assigned && value != "":
			arg = flag + "=***"
		}
		hide = !hide && isFlag && !assigned
		words[i] = quote(arg)
	}
	line := strings.Join(words, " ")
	if len(line) > maxCommand {
		cut := maxCommand
		for !utf8.RuneStart(line[cut]) {
			cut--
		}
		line = line[:cut] + "..."
	}
	return line
}

// quote writes an argument so that it is one word, on one line, and harms no
// terminal.
func quote(arg string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+:,./@%*"
	if arg != "" && strings.Trim(arg, plain) == "" {
		return arg
	}
	return strconv.Quote(arg)
}

// decode reads what a holder wrote into its file. A text that is not there
// yet, or damaged, is some other process.
func decode(text []byte) Holder {
	var h Holder
	if err := json.Unmarshal(text, &h); err != nil {
		return Holder{}
	}
	// The file is the user's own, but nothing keeps them from editing it.
	h.User, h.Command = printable(h.User), printable(h.Command)
	if !filepath.IsAbs(h.Socket) || harmless.Check(h.Socket) != nil {
		h.Socket = ""
	}
	return h
}

// printable makes harmless what would drive a terminal, or could not be told from
// our own words.
func printable(s string) string { return strings.ReplaceAll(harmless.Text(s), "`", "?") }

func (h Holder) encode() ([]byte, error) {
	text, err := json.Marshal(h)
	return append(text, '\n'), err
}
