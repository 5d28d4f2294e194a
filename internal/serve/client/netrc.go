package client

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxNetrc bounds what is read of a netrc file, in bytes.
const maxNetrc = 1 << 20

// ErrOpenNetrc is a netrc file with a password that other users may read.
var ErrOpenNetrc = errors.New("other users may read the password in it")

// Netrc returns who logs in at a host and the password, as a netrc file has them
// (ftp(1), curl's --netrc): of user, or of the first one where that is empty. Both
// are empty where the file, or an entry, is missing. Errors are those of the file,
// and [ErrOpenNetrc].
func Netrc(path, host, user string) (login, password string, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	defer f.Close() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxNetrc))
	if err != nil {
		return "", "", err
	}
	login, password = netrcEntry(string(text), host, user)
	if password == "" {
		return login, "", nil
	}
	info, err := f.Stat()
	if err != nil {
		return "", "", err
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return "", "", fmt.Errorf("%s: %w", path, ErrOpenNetrc)
	}
	return login, password, nil
}

// netrcEntry finds an entry. Its login may stand before or after its password.
func netrcEntry(text, host, user string) (login, password string) {
	var here, found bool // in an entry for host; it is the one
	done := func() bool { return here && (user == "" || login == user) && (login != "" || password != "") }
	for rest := text; ; {
		var word string
		if word, rest = netrcWord(rest); word == "" {
			found = done()
			break
		}
		switch word {
		case "machine", "default":
			if found = done(); found {
				return login, password
			}
			here, login, password = word == "default", "", ""
			if word == "machine" {
				word, rest = netrcWord(rest)
				here = strings.EqualFold(word, host)
			}
		case "login":
			login, rest = netrcWord(rest)
		case "password":
			password, rest = netrcWord(rest)
		case "account":
			_, rest = netrcWord(rest)
		case "macdef":
			// To the next empty line.
			_, rest, _ = strings.Cut(rest, "\n\n")
		}
	}
	if !found {
		return "", ""
	}
	return login, password
}

// netrcWord returns the next word, which may stand in quotation marks, and what
// follows; empty at the end. A word that begins with # begins a comment.
func netrcWord(text string) (word, rest string) {
	for {
		text = strings.TrimLeft(text, " \t\r\n")
		if !strings.HasPrefix(text, "#") {
			break
		}
		_, text, _ = strings.Cut(text, "\n")
	}
	quoted := strings.HasPrefix(text, `"`)
	if quoted {
		text = text[1:]
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted && c == '"', !quoted && strings.IndexByte(" \t\r\n", c) >= 0:
			return b.String(), text[i+1:]
		case quoted && c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}
