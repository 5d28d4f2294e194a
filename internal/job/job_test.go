//go:build unix

package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"powerspy2/measure"
)

// capture returns a file for a standard output, and what was written to it.
func capture(t *testing.T) (f *os.File, content func() string) {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, func() string {
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func do(t *testing.T, c Command) Result {
	t.Helper()
	j, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := j.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestStatus: how a command ended is what a shell would say.
func TestStatus(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := file("plain", "no program", 0o600)
	file("unexecutable", "no program", 0o600)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	tests := []struct {
		args   []string
		status int
		err    error
	}{
		{args: []string{"true"}},
		{args: []string{"sh", "-c", "exit 7"}, status: 7},
		{args: []string{"sh", "-c", "kill -9 $$"}, status: 137},
		{args: []string{"sh", "-c", "kill -TERM $$"}, status: 143},
		{args: []string{"no-such-command-anywhere"}, err: ErrNotFound},
		{args: []string{dir + "/missing"}, err: ErrNotFound},
		{args: []string{plain}, err: ErrNotExecutable},
		{args: []string{"unexecutable"}, err: ErrNotExecutable},
		{args: []string{dir}, err: ErrNotExecutable},
		{args: []string{file("text", "no program either", 0o700)}, err: ErrNotExecutable},
		{args: []string{file("script", "#!/no/such/interpreter\n", 0o700)}, err: ErrNotExecutable},
		{args: []string{"true", strings.Repeat("x", 1<<22)}, err: ErrNotExecutable},
	}
	for _, tt := range tests {
		j, err := Start(Command{Args: tt.args})
		if !errors.Is(err, tt.err) {
			t.Errorf("%.60q: unexpected error: %v", tt.args, err)
		}
		if err != nil {
			continue
		}
		r, err := j.Wait()
		if err != nil || r.Status() != tt.status || r.Duration() <= 0 {
			t.Errorf("%.60q: %+v, %v; want status %d", tt.args, r, err, tt.status)
		}
	}
	if r := do(t, Command{Args: []string{"sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"}}); r.User+r.System <= 0 || r.MaxRSS < 100<<10 {
		t.Errorf("used: %+v", r)
	}
}

// TestSignals: the command gets what is sent to it.
func TestSignals(t *testing.T) {
	out, content := capture(t)
	ready := make(chan bool, 1)
	j, err := Start(Command{
		Args: []string{"sh", "-c", "trap 'echo hung up; exit 3' HUP; echo ready; while :; do sleep 0.01; done"}, Stdout: out,
		Lines: func(_ time.Time, line []byte) {
			if string(line) == "ready" {
				ready <- true
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	<-ready
	j.Signal(syscall.SIGHUP)
	if r, err := j.Wait(); err != nil || r.Status() != 3 || content() != "ready\nhung up\n" {
		t.Errorf("%+v, %v, %q", r, err, content())
	}
	j.Signal(syscall.SIGHUP) // to nobody
}

// TestLines: all output passes on unchanged, and each line is seen.
func TestLines(t *testing.T) {
	long := strings.Repeat("y", MaxLine+1000)
	for _, terminal := range []bool{false, true} {
		out, content := capture(t)
		var lines []string
		do(t, Command{
			Args:   []string{"sh", "-c", `printf 'one\r\ntwo\n\n'; echo "$0"; [ -t 1 ] && echo terminal; printf unfinished`, long},
			Stdout: out, Terminal: terminal,
			Lines: func(_ time.Time, l []byte) { lines = append(lines, string(l)) },
		})
		extra := ""
		want := []string{"one", "two", "", long[:MaxLine]}
		if terminal {
			extra = "terminal\n"
			want = append(want, "terminal")
		}
		want = append(want, "unfinished")
		if got := content(); got != "one\r\ntwo\n\n"+long+"\n"+extra+"unfinished" {
			t.Errorf("terminal %v: %d bytes were passed on: %.40q", terminal, len(got), got)
		}
		if strings.Join(lines, "\n") != strings.Join(want, "\n") {
			t.Errorf("terminal %v: %d lines: %.200q", terminal, len(lines), lines)
		}
	}
}

// TestManyLines: nothing is lost of much output, at whatever moment the command
// ends.
func TestManyLines(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		out, content := capture(t)
		n := 0
		do(t, Command{Args: []string{"seq", "100000"}, Stdout: out, Terminal: terminal, Lines: func(time.Time, []byte) { n++ }})
		if n != 100000 || !strings.HasSuffix(content(), "\n99999\n100000\n") {
			t.Errorf("terminal %v: %d lines", terminal, n)
		}
	}
}

// TestReaderGoes: a command whose output nobody reads any more is told so as if it
// wrote there itself.
func TestReaderGoes(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	j, err := Start(Command{Args: []string{"yes"}, Stdout: w, Lines: func(time.Time, []byte) {}})
	if err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	_ = r.Close()
	if got, err := j.Wait(); err != nil || got.Signal != syscall.SIGPIPE {
		t.Errorf("%+v, %v", got, err)
	}
}

// is reports whether poll(2) has one of these events for a file.
func is(f *os.File, events int16) (ready bool) {
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	_ = conn.Control(func(fd uintptr) { // a file that is closed has none
		n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, 0)
		ready = n > 0
	})
	return ready
}

// TestReaderStops: a job that was told to end waits for no reader that has stopped.
func TestReaderStops(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	told := make(chan struct{}, 1)
	j, err := Start(Command{Args: []string{"yes"}, Stdout: w, Lines: func(time.Time, []byte) {
		select {
		case told <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	<-told // it writes, and soon more than a pipe holds
	go func() {
		for is(w, unix.POLLOUT) || !is(j.output.ours, unix.POLLIN) {
			time.Sleep(10 * time.Millisecond)
		}
		j.Signal(syscall.SIGTERM)
		j.Hurry()
	}()
	if got, err := j.Wait(); err != nil || got.Signal != syscall.SIGTERM || !got.Unread {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestChildrenStay: children that a command leaves behind with its output hold up
// nothing.
func TestChildrenStay(t *testing.T) {
	for _, script := range []string{"sleep 60 & echo pid $!; echo hello", "(while :; do echo more; done) & echo pid $!; echo hello"} {
		out, content := capture(t)
		r := do(t, Command{Args: []string{"sh", "-c", script}, Stdout: out, Lines: func(time.Time, []byte) {}})
		var pid int
		_, told, _ := strings.Cut(content(), "pid ") // the child may have been quicker
		if _, err := fmt.Sscan(told, &pid); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(content(), "hello\n") || !r.Held || r.Status() != 0 {
			t.Errorf("%q: %+v, %.60q", script, r, content())
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !strings.Contains(script, "more") { // SIGPIPE may have been quicker
			t.Error(err)
		}
	}
	// Without its output looked at, nothing is waited for at all.
	if r := do(t, Command{Args: []string{"sh", "-c", "exec >&- 2>&- <&-; exit 4"}}); r.Status() != 4 {
		t.Errorf("streams closed: %+v", r)
	}
}

// TestChildrenStayOnTerminal: nor do they where the output is a terminal, whose
// size the command sees.
func TestChildrenStayOnTerminal(t *testing.T) {
	screen, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	defer screen.Close()
	if err := pty.Setsize(screen, &pty.Winsize{Rows: 33, Cols: 77}); err != nil {
		t.Fatal(err)
	}
	var told []string
	r := do(t, Command{
		Args:   []string{"sh", "-c", "stty size <&1; sleep 20 & echo $!"},
		Stdout: terminal, Terminal: true, Lines: func(_ time.Time, line []byte) { told = append(told, string(line)) },
	})
	if len(told) != 2 || told[0] != "33 77" || !r.Held || r.Status() != 0 {
		t.Fatalf("%+v, %q", r, told)
	}
	pid, err := strconv.Atoi(told[1])
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestMarks: marks of many writers come, in the order of each, and end with the
// job.
func TestMarks(t *testing.T) {
	dir := t.TempDir()
	got := make(chan measure.Mark, 1000)
	m, err := OpenMarks(dir, func(mark measure.Mark) { got <- mark })
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(m.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	do(t, Command{Args: []string{"sh", "-c", `
		for w in a b c d; do
			for i in 1 2 3 4 5; do echo $w$i > "$POWERSPY_MARKS"; done &
		done
		wait
		printf 'at a time\t1700000000.5\n\nbad\033name\r\n' > "$POWERSPY_MARKS"
		head -c 10000 /dev/zero | tr '\0' z > "$POWERSPY_MARKS"; echo > "$POWERSPY_MARKS"
		[ "${POWERSPY_JOB%%-*}" = $PPID ]`}, Marks: m})
	if err := Send(m.Path, measure.Mark{Time: time.Now().Add(-time.Second), Name: "sent"}); err != nil {
		t.Error(err)
	}
	path := m.Path
	cut, err := m.Close()
	if err != nil || cut != 1 {
		t.Errorf("%d cut, %v", cut, err)
	}
	close(got)
	var marks []measure.Mark
	for mark := range got {
		marks = append(marks, mark)
	}
	if len(marks) != 25 {
		t.Fatalf("%d marks: %v", len(marks), marks)
	}
	next := map[byte]byte{'a': '1', 'b': '1', 'c': '1', 'd': '1'}
	for _, mark := range marks[:20] {
		if len(mark.Name) != 2 || mark.Name[1] != next[mark.Name[0]] {
			t.Errorf("out of order: %v", mark)
			continue
		}
		next[mark.Name[0]]++
	}
	rest := marks[20:]
	if off := rest[0].Time.Sub(time.UnixMilli(1700000000500)).Abs(); rest[0].Name != "at a time" || off > time.Millisecond {
		t.Errorf("%v", rest[0])
	}
	if !rest[1].End || rest[2].Name != `bad\x1bname` || len(rest[3].Name) != measure.MaxName {
		t.Errorf("%v", rest)
	}
	if age := time.Since(rest[4].Time); rest[4].Name != "sent" || age < 900*time.Millisecond {
		t.Errorf("%v", rest[4])
	}
	// A writer after the end.
	if err := Send(path, measure.Mark{Name: "late"}); !errors.Is(err, ErrEnded) {
		t.Errorf("after the end: %v", err)
	}
	if err := exec.Command("sh", "-c", "echo late > "+path).Run(); err == nil {
		t.Error("a shell could write after the end")
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 0 {
		t.Errorf("left behind: %v, %v", list, err)
	}
	if err := Send("", measure.Mark{}); !errors.Is(err, ErrNoJob) {
		t.Errorf("without a job: %v", err)
	}
	// A pipe that nobody reads, of a powerspy that was killed, is removed by the
	// next one, and nobody waits for it.
	dead := filepath.Join(dir, prefix+"999999999-x")
	if err := os.Mkdir(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dead, "marks"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Send(filepath.Join(dead, "marks"), measure.Mark{Name: "x"}); !errors.Is(err, ErrEnded) {
		t.Errorf("to a pipe that nobody reads: %v", err)
	}
	if m, err = OpenMarks(dir, func(measure.Mark) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", dead, err)
	}
	if _, err := m.Close(); err != nil {
		t.Error(err)
	}
}

// TestProcess waits for the end of processes.
func TestProcess(t *testing.T) {
	c := exec.Command("cat")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout = io.Discard
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := OpenProcess(c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it runs: %v", err)
	}
	q, err := OpenProcess(c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := q.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := OpenProcess(c.Process.Pid); !errors.Is(err, ErrNoProcess) {
		t.Errorf("after its end: %v", err)
	}
}

// TestManyMarks: 100,000 marks at once, none of which is lost or holds its writer
// up, also where they are taken so slowly that many are left when the job has ended.
func TestManyMarks(t *testing.T) {
	n, last := 0, measure.Mark{}
	m, err := OpenMarks(t.TempDir(), func(mark measure.Mark) {
		if n, last = n+1, mark; n == 95000 {
			time.Sleep(4 * lastMarks)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	r := do(t, Command{Args: []string{"sh", "-c", `seq 100000 > "$POWERSPY_MARKS"`}, Marks: m})
	if r.Status() != 0 {
		t.Errorf("%+v", r)
	}
	if cut, err := m.Close(); err != nil || cut != 0 || n != 100000 || last.Name != "100000" || last.Time.After(r.End) {
		t.Errorf("%d marks, %d cut, the last one %v, %v", n, cut, last, err)
	}
}

// TestReadLate: what a command has printed is read after its end where this machine is
// busy, and is of its end then.
func TestReadLate(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	seen := filepath.Join(t.TempDir(), "seen")
	started := make(chan *Job, 1)
	var at []time.Time
	j, err := Start(Command{Args: []string{"sh", "-c", `echo a; until [ -e "$0" ]; do sleep 0.05; done; echo b; echo c`, seen}, Stdout: null, Lines: func(read time.Time, line []byte) {
		if at = append(at, read); string(line) != "a" {
			return
		}
		if err := os.WriteFile(seen, nil, 0o600); err != nil {
			t.Error(err)
		}
		// It is busy until the command has ended.
		for m := (<-started).read; ; time.Sleep(time.Millisecond) {
			m.mu.Lock()
			ended := !m.end.IsZero()
			m.mu.Unlock()
			if ended {
				return
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	started <- j
	r, err := j.Wait()
	if err != nil || len(at) != 3 || !at[0].Before(r.End) || !at[1].Equal(r.End) || !at[2].Equal(r.End) {
		t.Errorf("lines of %v, the end is %v, %v", at, r.End, err)
	}
}
