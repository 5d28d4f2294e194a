package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"powerspy2/rfcomm"
)

// TestMain makes this test binary the command, for scripts and for tests that
// need a process.
func TestMain(m *testing.M) {
	rfcomm.ForerunnerMain() // as main
	// The race detector sleeps for a second at the end of each process unless
	// told not to.
	if os.Getenv(raceOptions) == "" {
		if err := os.Setenv(raceOptions, "atexit_sleep_ms=0"); err != nil {
			panic(err)
		}
	}
	// Most tests here wait for a simulated meter. Who sets -parallel has it so.
	if err := flag.Set("test.parallel", strconv.Itoa(5*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(tests{m}, map[string]func(){"powerspy": main, filepath.Base(gmtProvider): main})
}

const raceOptions = "GORACE"

// tests are the tests of this package, with a runtime directory of their own.
type tests struct{ *testing.M }

func (m tests) Run() int {
	dir, err := os.MkdirTemp("", "powerspy-run-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv(runtimeDir, dir); err != nil {
		panic(err)
	}
	// What runs in the background of a script ignores some signals, and what it starts
	// would, too: what handles them does not (execve(2)).
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	return m.M.Run()
}

const runtimeDir = "XDG_RUNTIME_DIR"

func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			e.Setenv("sim", quickSim)
			e.Setenv(raceOptions, os.Getenv(raceOptions))
			e.Setenv(runtimeDir, os.Getenv(runtimeDir))
			// Nothing of the machine that runs the tests.
			e.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(e.WorkDir, "no-bus"))
			return os.Mkdir(home, 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Condition: func(name string) (bool, error) {
			if name != "root" {
				return false, fmt.Errorf("there is no condition %q", name)
			}
			return os.Getuid() == 0, nil
		},
	})
}

// quickSim is a meter that answers at once, and sends its frames on time.
const quickSim = "sim:link=ideal,first=clean"

// exits runs a command that has to end with an exit status: exits STATUS
// COMMAND [ARGUMENT...]. The argument sh-full, dropped, gives it a standard
// output without space.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	command := args[1:]
	if len(command) > 1 && command[1] == "sh-full" {
		command = append([]string{"sh", "-c", `exec "$@" >/dev/full`, "sh", command[0]}, command[2:]...)
	}
	err = ts.Exec(command[0], command[1:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%q: exit status %d, want %d", args[1:], got, want)
	}
}
