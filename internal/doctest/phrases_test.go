package doctest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// phrases read as if they were translated; each has what is said in its place.
// They are kept out of texts for people and of comments.
var phrases = map[string]string{
	`that there is[.,;)]`: "existing",
	`tells? whether`:      "reports whether",
	`So did`:              "say what did",
	`is no time\b`:        "invalid duration",
	`(connect|connecting|begins?|opened|pair) anew\b`: "reconnect, start again, reopen, pair again",
	`in the air\b`:                   "over Bluetooth, in range",
	`what answers does`:              "the device does",
	`radio call\b`:                   "does not respond over Bluetooth",
	`gets over (it|trouble)`:         "recovers",
	`which \w+ has none\b`:           "without",
	`adapter out and in\b`:           "unplug it and plug it back in",
	`to measure again that does not`: "recover a meter that has stopped measuring",
	`in the language of man`:         "(roff)",
	`is about the file of`:           "needs",
	`takes no argument`:              "unexpected argument",
	`exists? already`:                "already exists",
}

// wordFiles are the names of files with words for people.
var wordFiles = []string{".go", ".md", ".py", ".sh", ".bash", ".txtar", ".service"}

func TestPhrases(t *testing.T) {
	compiled := make(map[*regexp.Regexp]string, len(phrases))
	for phrase, better := range phrases {
		// A phrase may be broken by the end of a line, in a comment by its mark, too.
		compiled[regexp.MustCompile(strings.ReplaceAll(phrase, " ", `(?:\s+(?://|#)?\s*)`))] = better
	}
	checked := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "fuzz"}, d.Name()):
			return filepath.SkipDir
		case d.IsDir() || !slices.Contains(wordFiles, filepath.Ext(path)) || d.Name() == "phrases_test.go":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		checked++
		for phrase, better := range compiled {
			if found := phrase.Find(text); found != nil {
				t.Errorf("%s: %q; better: %s", path, found, better)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 100 {
		t.Errorf("only %d files were checked", checked)
	}
}
