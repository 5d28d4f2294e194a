package sim

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The blocks of a file put together are its content between < and >.
func TestBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Files: AwkwardSizes()})
		files := m.Files()
		if len(files) != 8 || files[2].Name != "120903.DAT" || len(files[7].Content) != 1<<20 {
			t.Fatalf("%d files", len(files))
		}
		for _, f := range files {
			var got []byte
			blocks := 0
			for {
				answer := m.execute(m.epoch, fmt.Sprintf("X%s %04X", f.Name[:6], blocks))
				if answer == "<Z>\n\r" && blocks > 0 {
					break
				}
				if blocks++; len(answer) > 2048+2 {
					t.Fatalf("block of %d bytes", len(answer))
				}
				got = append(got, answer...)
			}
			want := "<" + string(f.Content) + ">\n\r"
			if string(got) != want || blocks != (len(f.Content)+2+2047)/2048 {
				t.Errorf("%d bytes: got %d bytes in %d blocks", len(f.Content), len(got), blocks)
			}
		}
	})
}

func TestFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		c := dial(t, m)
		defer c.close()
		c.want("<U>", "<>")
		m.SetFiles([]File{{"120906.DAT", []byte("12345678901")}, {"120907.DAT", nil}})
		c.want("<U>", "<120906.DAT:B/120907.DAT:0/>")
		c.want("<X120906 0000>", "<12345678901>")
		c.want("<X120907 0000>", "<>")
		for _, request := range []string{"<X120906 0001>", "<X120908 0000>", "<X120906 000g>", "<X120906-0000>", "<X120906 0>", "<Y120908.DAT>", "<Y120906>"} {
			c.want(request, "<Z>")
		}
		c.want("<Y120906.DAT>", "<K>")
		c.want("<U>", "<120907.DAT:0/>")
	})
}

// The log grows by an entry each log period, is in the file of the clock's
// day, and is measured.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Power: 100, Dots: true})
		c := dial(t, m)
		defer c.close()
		c.want("<P>", "<Z>")              // Without a dot.
		c.want("<E0C081F173B32>", "<K.>") // 2012-08-31 23:59:50
		c.want("<M1389>", "<Z.>")         // 5001
		c.want("<M0032>", "<K.>")         // One second.
		c.want("<V1A>", "<32>")
		c.want("<V1B>", "<00>")
		c.want("<O>", "<K.>")
		if !m.Logging() {
			t.Error("not logging")
		}
		time.Sleep(5100 * time.Millisecond)
		c.want("<U>", "<120831.DAT:BE/>") // 5 entries of 38 bytes.
		time.Sleep(10 * time.Second)
		c.want("<P>", "<K>")
		time.Sleep(10 * time.Second)
		c.want("<U>", "<120831.DAT:156/120901.DAT:E4/>") // 9 entries, 6 entries.
		lines := strings.Split(string(m.Files()[0].Content), "\r\n")
		if got := "<" + lines[3] + ">"; !measurement(got) {
			t.Errorf("an entry is %q", got)
		}
	})
}

// What does not fit on the card is not written.
func TestCardFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{LogPeriod: 1})
		m.SetFiles([]File{{"120906.DAT", make([]byte, cardSize-100)}})
		c := dial(t, m)
		defer c.close()
		c.want("<E0C081F101600>", "<K>")
		c.want("<O>", "<K>")
		time.Sleep(time.Minute)
		c.want("<U>", "<120906.DAT:7FFF9C/120831.DAT:64/>")
	})
}

func TestLogHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{LogPeriod: 50, Faults: Faults{LogHang: true}})
		c := dial(t, m)
		c.want("<O>", "")
		c.want("<?>", "")
		c.close()
		m.PowerCycle()
		c = dial(t, m)
		defer c.close()
		c.want("<?>", "<POWERSPYR01FF350311D7>")
		if m.Logging() {
			t.Error("the log survived without power")
		}
	})
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		c := dial(t, m)
		defer c.close()
		c.want("<E0C081F101600>", "<K>")
		time.Sleep(90*time.Second + 500*time.Millisecond)
		c.want("<G>", "<0C081F10171E>")
		c.want("<EFF0C1F173B3B>", "<K>") // 2255-12-31 23:59:59
		if got := m.Clock().Format(time.DateTime); got != "2255-12-31 23:59:59" {
			t.Errorf("got %s", got)
		}
		for _, request := range []string{
			"<E0D021D000000>", // 2013-02-29
			"<E0C000F000000>", "<E0C0D0F000000>", "<E0C0C00000000>", "<E0C080F180000>", "<E0C080F003C00>", "<E0C080F00003C>",
			"<E0C080F0000>",
		} {
			c.want(request, "<Z>")
		}
	})
}

// The share of answers that was asked for gets lost, whole, and what they
// answered has been done.
func TestLose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Lose: 0.2}})
		c := dial(t, m)
		defer c.close()
		const n = 1000
		lost := 0
		for range n {
			switch got := c.ask("<V0E>"); got {
			case "":
				lost++
			case "<6C>":
			default:
				t.Fatalf("got %q", got)
			}
		}
		if !near(float64(lost), 0.2*n, 0.3) {
			t.Errorf("%d answers of %d are lost", lost, n)
		}
		c.send(strings.Repeat("<W1A07>", 10))
		synctest.Wait()
		if got := m.EEPROM()[0x1a]; got != 0x07 {
			t.Errorf("got %#x", got)
		}
	})
}

// The traps are there.
func TestContent(t *testing.T) {
	m := New(Config{Files: []int{1 << 16}})
	content := m.Files()[0].Content
	for _, trap := range []string{"<POWERSPYR01FF350311D7>", "<Z>\n\r"} {
		if !bytes.Contains(content, []byte(trap)) {
			t.Errorf("no %q", trap)
		}
	}
}
