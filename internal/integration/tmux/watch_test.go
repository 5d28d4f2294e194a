// Package tmux tests `powerspy watch` in a real terminal.
package tmux

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// within is how long anything may take that has to happen.
const within = time.Minute

// meter is a simulated one that is ready soon.
const meter = "sim:load=constant,watts=60,link=ideal,first=clean"

// A pane is a terminal.
type pane struct {
	t      *testing.T
	socket string
}

// start opens a terminal in which a shell runs.
func start(t *testing.T, columns, rows int, environment ...string) *pane {
	t.Helper()
	p := &pane{t, filepath.Join(t.TempDir(), "tmux")}
	shell := append(append([]string{"env", "PS1=ready> ", "HOME=" + t.TempDir(), "LANG=C.UTF-8"}, environment...), "bash", "--norc", "--noprofile", "-i")
	p.tmux(append([]string{"-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(columns), "-y", fmt.Sprint(rows)}, shell...)...)
	t.Cleanup(func() { p.tmux("kill-server") })
	p.wants(`ready>`)
	return p
}

func (p *pane) tmux(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", p.socket}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TMUX=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// types hits keys, which have tmux's names.
func (p *pane) types(keys ...string) { p.t.Helper(); p.tmux(append([]string{"send-keys"}, keys...)...) }

// line types a line.
func (p *pane) line(text string) {
	p.t.Helper()
	p.tmux("send-keys", "-l", text)
	p.types("Enter")
}

// shown returns what the terminal shows.
func (p *pane) shown() string { p.t.Helper(); return p.tmux("capture-pane", "-p") }

// wants waits until the terminal shows something of each pattern, all at once.
func (p *pane) wants(patterns ...string) (shown string) {
	p.t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(30 * time.Millisecond) {
		shown = p.shown()
		missing := ""
		for _, pattern := range patterns {
			if !regexp.MustCompile(pattern).MatchString(shown) {
				missing = pattern
			}
		}
		if missing == "" {
			return shown
		}
		if time.Now().After(end) {
			p.t.Fatalf("the terminal does not show %q but\n%s", missing, shown)
		}
	}
}

// command builds powerspy.
func command(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "powerspy")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/powerspy")
	cmd.Dir = "../../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// withPID is a command that leaves the id of its process in a file.
func withPID(file, command string) string {
	return "sh -c 'echo $$ >" + file + "; exec " + command + "'"
}

// kill sends a signal to the process of such a command.
func kill(t *testing.T, file string, s syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(pid, s)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestWatch(t *testing.T) {
	powerspy := command(t)
	t.Run("sizes, a mark and q", func(t *testing.T) {
		t.Parallel()
		record := filepath.Join(t.TempDir(), "watched.jsonl")
		p := start(t, 80, 24)
		p.line("stty -a >$HOME/before; " + powerspy + " watch -d " + meter + " --span 1m --record " + record + "; echo status $?; stty -a | cmp - $HOME/before && echo as before")
		p.wants(`measuring  \d\d:`, `230\.\d V  peak`, `\d J ± `, `60.0 W│`, `⠀|⠤|⣀|⠒|⠉`, `q quit .* e end phase`)
		p.types("m")
		p.wants(`Name of the mark at`)
		p.line("first job")
		p.wants(`phase first job  \d`, `\^`)
		p.tmux("resize-window", "-x", "40", "-y", "12")
		small := p.wants(`measuring\n`, `230\.\d V  0\.`, `\? help\n$`)
		if n := strings.Count(small, "\n"); n != 12 {
			t.Errorf("%d lines:\n%s", n, small)
		}
		p.tmux("resize-window", "-x", "200", "-y", "60")
		p.wants(`████████████`, `measuring  \d\d:`, `e end phase\s*$`)
		p.types("?")
		p.wants(`leave this help`)
		p.types("q")
		p.wants(`powerspy: \d.* J \+- .* mean \d+\.\d+ W`, `status 0`, `as before`)
		recorded, err := os.ReadFile(record)
		if err != nil || !strings.Contains(string(recorded), `"first job"`) || strings.Count(string(recorded), "\n") < 50 {
			t.Errorf("the recording: %v, %.300s", err, recorded)
		}
	})
	t.Run("without colours, in ASCII, and SIGTERM", func(t *testing.T) {
		t.Parallel()
		pid := filepath.Join(t.TempDir(), "pid")
		p := start(t, 80, 24, "NO_COLOR=1", "LANG=C", "LC_ALL=C")
		p.line("stty -a >$HOME/before; " + withPID(pid, powerspy+" watch -d "+meter) + "; echo status $?; stty -a | cmp - $HOME/before && echo as before")
		shown := p.wants(`\* measuring`, `######`, `60.0 W\|`, `\d J \+- `)
		if strings.IndexFunc(shown, func(r rune) bool { return r > '~' }) >= 0 {
			t.Errorf("not ASCII:\n%s", shown)
		}
		if styled := p.tmux("capture-pane", "-p", "-e"); regexp.MustCompile(`\x1b\[[0-9;]*[34][0-8]`).MatchString(styled) {
			t.Errorf("colours in %q", styled)
		}
		kill(t, pid, syscall.SIGTERM)
		p.wants(`status 0`, `as before`)
	})
	t.Run("stopped and continued", func(t *testing.T) {
		t.Parallel()
		p := start(t, 80, 24)
		run, pid := powerspy+" watch -d "+meter, filepath.Join(t.TempDir(), "pid")
		p.line(withPID(pid, run))
		p.wants(`measuring`, `\d J ± `)
		p.types("C-z")
		p.wants(`Stopped`)
		p.line("clear; stty -a | grep -c ' icanon'; fg")
		p.wants(`measuring`, `\d J ± `)
		kill(t, pid, syscall.SIGTSTP)
		p.wants(`Stopped`)
		p.line("clear; stty -a | grep -c ' icanon'; fg")
		p.wants(`measuring`, `\d J ± `)
		p.types("C-c")
		p.wants(`powerspy: \d.* J \+- `, `ready>\s*$`)
		p.line("clear; " + run + " </dev/null")
		p.wants(`measuring`, `\d J ± `)
		p.types("q")
		p.wants(`powerspy: \d.* J \+- `, `ready>\s*$`)
		p.line("clear; TERM=dumb " + run)
		p.wants("the terminal knows no escape sequences", "writes readings as lines")
		p.line("clear; " + run + " | cat")
		p.wants("standard output is no terminal")
	})
}
