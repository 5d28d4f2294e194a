package output

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// A Shape is what a file of readings looks like in one format with its options.
// It tells such a file from all others, so that nothing else is appended to, or
// has its last line cut off.
type Shape struct {
	text string // see String
	look
}

// A look is how a format recognises its own lines. Lines have no line end here.
type look struct {
	detail string         // what of the options shows in the lines
	head   *regexp.Regexp // the beginning of a file, of whole lines
	title  string         // the last line of the header, if there is one
	line   *regexp.Regexp // a whole line
	valid  func(line []byte) bool
	torn   *regexp.Regexp // what a crash may leave of a line

	// What a crash may leave of the first line is known by start or its
	// beginning; where that is empty by first.
	start string
	first *regexp.Regexp
}

// A ShapeError is a file that holds something other than the readings which were
// to be appended to it.
type ShapeError struct {
	There string // what the file does: `begins with "..."`
	Ours  string // the shape of the readings
}

func (e *ShapeError) Error() string {
	return fmt.Sprintf("it %s, but the readings to append are %s", e.There, e.Ours)
}

// NewShape returns the shape of format f. Errors are those of Check.
func NewShape(f Format, o Options) (*Shape, error) {
	if err := o.Check(f); err != nil {
		return nil, err
	}
	s := &Shape{text: string(f), look: f.kind().sink(nil, &o).look()}
	if s.detail != "" {
		s.text += " with " + s.detail
	}
	return s, nil
}

// String describes the shape in a line: its format, and its header, if it has
// one, or else what it writes. Readings of different shapes have different ones.
func (s *Shape) String() string { return s.text }

// Check returns a *ShapeError unless a file has this shape. head is its
// beginning, of whole lines, or a part of one that is very long; last is its last whole line, without the line end;
// torn is what follows that, up to the first zero byte. mark is the String of
// the shape that the file was made for, where the file system keeps such a
// thing, else "".
func (s *Shape) Check(head, last, torn []byte, mark string) error {
	there := ""
	firstLine, _, _ := bytes.Cut(head, []byte("\n"))
	switch {
	case len(head) == 0 && len(torn) == 0 && mark != s.text:
		there = "holds nothing but zero bytes" // perhaps the image of a disk
	case len(head) == 0 && !s.beginsFile(torn, mark == s.text):
		there = fmt.Sprintf("is %s, without a line end", excerpt(torn))
	case len(head) == 0:
		// The mark, if any, is that of a file that held something else.
	case !s.head.Match(head):
		there = "begins with " + excerpt(firstLine)
	case !s.isLast(last):
		there = "ends with the line " + excerpt(last)
	case !s.torn.Match(torn):
		there = fmt.Sprintf("ends with %s, without a line end", excerpt(torn))
	case mark != "" && mark != s.text:
		there = "holds readings that are " + mark
	}
	if there == "" {
		return nil
	}
	return &ShapeError{There: there, Ours: s.text}
}

// isLast reports whether a file may end with this line: a header may have no
// reading behind it.
func (l *look) isLast(line []byte) bool {
	if l.title != "" && string(line) == l.title {
		return true
	}
	return l.line.Match(line) && (l.valid == nil || l.valid(line))
}

// beginsFile reports whether torn is what a crash may leave of the first line
// of a file. Unless it is known that the file is ours it has to be more than
// other files may begin with.
func (l *look) beginsFile(torn []byte, ours bool) bool {
	const enough = 4
	switch {
	case len(torn) == 0:
		return ours
	case l.first != nil:
		return l.first.Match(torn) || ours && l.torn.Match(torn)
	case len(torn) < enough && !ours:
		return false
	}
	return strings.HasPrefix(l.start, string(torn)) || strings.HasPrefix(string(torn), l.start)
}

// excerpt quotes the beginning of a line.
func excerpt(line []byte) string {
	const most = 300
	if len(line) > most {
		return fmt.Sprintf("%q...", line[:most])
	}
	return fmt.Sprintf("%q", line)
}

// headed is the look of lines under a header, of as many values as it has, with
// separator between them.
func headed(header []byte, values int, value, separator string) look {
	title := strings.TrimSuffix(string(header), "\n")
	return look{
		title:  title,
		detail: fmt.Sprintf("the header %q", title),
		head:   regexp.MustCompile(`\A` + regexp.QuoteMeta(string(header))),
		line:   regexp.MustCompile(fmt.Sprintf(`\A(%s%s){%d}%s\z`, value, separator, values-1, value)),
		torn:   regexp.MustCompile(fmt.Sprintf(`\A(%s%s){0,%d}%s\z`, value, separator, values-1, value)),
		start:  string(header),
	}
}
