package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A File is a file on the SD card.
type File struct {
	Name    string // Such as 120906.DAT.
	Content []byte // All of it.
}

// AwkwardSizes are sizes of files around the borders of blocks: the < and >
// around the content count, so that a file of 2046 bytes just fills one.
func AwkwardSizes() []int { return []int{0, 1, 2046, 2047, 2048, 4094, 5000, 1 << 20} }

const (
	blockSize = 2048
	maxFiles  = 1000
	cardSize  = 8 << 20
	fileExt   = ".DAT"

	// maxContent is as much as X can ask for, with four digits of a block's number.
	maxContent = 0x10000*blockSize - 2
)

// A card is the SD card. Files that were there from the start get their
// content when it is asked for.
type card struct {
	files []*file
}

type file struct {
	name    string
	size    int
	content []byte // nil until asked for.
	begins  []byte // How the content begins.
	seed    uint64
}

// newCard returns a card with files of the given sizes, one a day.
func newCard(sizes []int) *card {
	day := time.Date(2012, 9, 1, 0, 0, 0, 0, time.UTC)
	c := &card{}
	for i, size := range sizes {
		c.files = append(c.files, &file{name: fileName(day.AddDate(0, 0, i)), size: size, seed: uint64(i)})
	}
	return c
}

func fileName(day time.Time) string { return day.Format("060102") + fileExt }

func (c *card) find(name string) *file {
	i := slices.IndexFunc(c.files, func(f *file) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return c.files[i]
}

// used returns the sum of the sizes.
func (c *card) used() (sum int) {
	for _, f := range c.files {
		sum += f.size
	}
	return sum
}

// append adds to a file, which it makes if need be, as far as there is room.
func (c *card) append(name string, p []byte, rnd random) {
	p = p[:min(len(p), max(cardSize-c.used(), 0))]
	f := c.find(name)
	if f == nil {
		f = &file{name: name, content: []byte{}}
		c.files = append(c.files, f)
	}
	f.content = append(f.bytes(rnd), p...)
	f.size = len(f.content)
}

// bytes returns the content: noise, strewn with what a client might mistake
// for something else.
func (f *file) bytes(rnd random) []byte {
	if f.content != nil {
		return f.content
	}
	traps := []string{
		"<", ">", "<K>", "<Z>", "<Z>\n\r", "\n\r", "<6C>", "<F6C00>\n\r",
		"<POWERSPYR01FF350311D7>", "<POWERSPYR01FF350311D7>\n\r", "\n\r<POWERSPYT01FF350311D7>\n\r",
		"<007A1FCA 001F82FB 003AC29C 0FA9 0AB5>\n\r",
	}
	size := min(f.size, maxContent)
	f.content = append(make([]byte, 0, size+64), f.begins...)
	for n := uint64(0); len(f.content) < size; n++ {
		x := rnd.bits(forContent, f.seed, n)
		if x>>32%16 == 0 {
			f.content = append(f.content, traps[x%uint64(len(traps))]...)
			continue
		}
		for range 8 {
			f.content = append(f.content, byte(x))
			x >>= 8
		}
	}
	f.content = f.content[:size]
	return f.content
}

// Files returns copies of the files on the SD card.
func (m *Meter) Files() []File {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.advance(now)
	m.writeLog(now)
	var files []File
	for _, f := range m.card.files {
		files = append(files, File{f.name, slices.Clone(f.bytes(m.rnd))})
	}
	return files
}

// SetFiles replaces what is on the SD card. Names are six characters and .DAT,
// as meters have them (AL/LG/0838/003 §3.4.13); they are not checked.
func (m *Meter) SetFiles(files []File) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(m.now())
	m.writeLog(m.now())
	m.card = &card{}
	for _, f := range files {
		m.card.files = append(m.card.files, &file{name: f.Name, size: len(f.Content), content: append([]byte{}, f.Content...)})
	}
}

// listFiles answers U (AL/LG/0838/003 §3.4.13).
func (m *Meter) listFiles(now time.Time, _ hex) string {
	m.writeLog(now)
	var b strings.Builder
	b.WriteString("<")
	for _, f := range m.card.files {
		fmt.Fprintf(&b, "%s:%X/", f.name, f.size)
	}
	b.WriteString(">")
	return m.line(b.String())
}

// deleteFile obeys Y (§3.4.14).
func (m *Meter) deleteFile(now time.Time, name hex) string {
	m.writeLog(now)
	f := m.card.find(string(name))
	if f == nil {
		return refused
	}
	m.card.files = slices.DeleteFunc(m.card.files, func(g *file) bool { return g == f })
	return done
}

// sendBlock answers X (§3.4.15) with a piece of <content>, and a line end after
// the last. What meters say of a file or a block that they do not have is not
// known; here they refuse.
func (m *Meter) sendBlock(now time.Time, request hex) string {
	m.writeLog(now)
	name, number := string(request[:6]), request[7:]
	f := m.card.find(name + fileExt)
	if f == nil || request[6] != ' ' || !number.valid() {
		return refused
	}
	content := f.bytes(m.rnd)
	from := number.number(0, 4) * blockSize // In the stream, which the < begins.
	to := min(from+blockSize, 1+len(content)+1)
	if from >= to {
		return refused
	}
	block := string(content[max(from-1, 0):min(to-1, len(content))])
	if from == 0 {
		block = "<" + block
	}
	if to == 1+len(content)+1 {
		return m.line(block + ">")
	}
	return block
}

// validateCard says what in c, of the SD card and the log, makes no sense.
func (c Config) validateCard() error {
	if len(c.Files) > maxFiles {
		return fmt.Errorf("%d files are more than %d", len(c.Files), maxFiles)
	}
	sum := 0
	for _, size := range c.Files {
		if size < 0 || size > cardSize {
			return fmt.Errorf("file of %d bytes is not of 0 to %d", size, cardSize)
		}
		if sum += size; sum > cardSize {
			return fmt.Errorf("files are larger than the card of %d bytes", cardSize)
		}
	}
	return nil
}

// sizes parses the value of the parameter files.
func sizes(v string) ([]int, error) {
	if v == "none" {
		return nil, nil
	}
	var all []int
	for s := range strings.SplitSeq(v, "/") {
		n, err := whole(s, 0, cardSize)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}
