package config

import "strings"

// lineIndex finds the line of a key, which the decoder tells only for syntax
// errors. It knows the one level of tables that the file has.
type lineIndex []keyLine

type keyLine struct {
	table string // "" at the top
	meter int    // which [[meter]], from 0; -1 outside
	key   string // "" for the line of the table's own header
	line  int
}

func indexLines(text string) lineIndex {
	var x lineIndex
	at := keyLine{meter: -1}
	meters := -1
	for n, line := range strings.Split(text, "\n") {
		at.line = n + 1
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			at.table = tableName(line)
			at.meter = -1
			if at.table == "meter" {
				meters++
				at.meter = meters
			}
			at.key = ""
			x = append(x, at)
			continue
		}
		if key, _, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			at.key = strings.Trim(key, " \t\"'")
			x = append(x, at)
		}
	}
	return x
}

// tableName is what stands in the brackets of a header, without quotes.
func tableName(header string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(strings.TrimSpace(header), "["), "]")
	return strings.NewReplacer(`"`, "", "'", "", " ", "", "\t", "").Replace(name)
}

// of returns the line of a key in the nth [[meter]], or of its header when the
// key has none. n is -1 for keys at the top.
func (x lineIndex) of(n int, key string) int {
	header := 0
	for _, k := range x {
		if k.meter != n || n < 0 && k.table != "" {
			continue
		}
		if k.key == key {
			return k.line
		}
		if k.key == "" {
			header = k.line
		}
	}
	return header
}

// anywhere returns the line on which a key, written with its table and dots, is
// given first; 0 when it is written in a way that this index does not follow.
func (x lineIndex) anywhere(dotted string) int {
	for _, k := range x {
		full := k.key
		switch {
		case k.key == "":
			full = k.table
		case k.table != "":
			full = k.table + "." + k.key
		}
		if full == dotted {
			return k.line
		}
	}
	return 0
}
