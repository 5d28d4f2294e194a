package rfcomm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

const (
	// forerunnerName is the first word of a forerunner's command line, by which it knows what it is. It is no command of
	// the program's, and no pattern for the program's name matches it.
	forerunnerName = "bluetooth-forerunner"
	// forerunnerLimit bounds the wait for a forerunner's word: the kernel gives an L2CAP connect 40 s (L2CAP_CONN_TIMEOUT).
	forerunnerLimit = 50 * time.Second
	// closeLimit is how long close(2) gets in a forerunner. One that has not returned by then has ended its thread.
	closeLimit = time.Second
)

// firstFatal and the patch level before it bound the kernels of the line 6.1 that may have the failed-connect bug: 6.1.187
// has been seen without it, 6.1.192 with it. No kernel that mends it is known.
const firstFatal = 188

// kernelVersion is uname(2), which needs no /proc.
func kernelVersion() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "" // it has no way to fail
	}
	return unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Version[:])
}

// failedConnectKills reports whether this kernel may have the bug (see the package's comment). A distribution's kernel has
// the number that counts in the text behind its own: "6.1.0-56-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-01)".
func (h *host) failedConnectKills() bool {
	const line = "6.1."
	words := strings.Fields(h.version())
	if len(words) == 0 || !strings.HasPrefix(words[0], line) {
		return false
	}
	known := false
	for _, word := range words {
		patch, ok := strings.CutPrefix(word, line)
		if !ok {
			continue
		}
		digits := patch[:len(patch)-len(strings.TrimLeft(patch, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if err != nil || n == 0 {
			continue // 6.1.0-56 says nothing
		}
		known = true
		if n >= firstFatal {
			return true
		}
	}
	return !known
}

// forerunnerCommand makes the process. It shares nothing with this one that could end it early.
func forerunnerCommand(local, remote bdaddr.Address) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", local.String(), remote.String())
	cmd.Args[0] = forerunnerName
	cmd.Env, cmd.Dir = []string{}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// spawnForerunner runs the process and returns what it says.
func spawnForerunner(ctx context.Context, local, remote bdaddr.Address) error {
	cmd := forerunnerCommand(local, remote)
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("start a forerunner: %w", err)
	}
	said := make(chan error, 1)
	go func() {
		line, err := bufio.NewReader(io.LimitReader(stdout, 256)).ReadString('\n')
		if err == nil || errors.Is(err, io.EOF) {
			err = parseReport(line)
		}
		said <- err
		// It ends by itself, and what it ends with is of no interest: the kernel may have killed it.
		_ = cmd.Wait()
	}()
	limit := time.NewTimer(forerunnerLimit)
	defer limit.Stop()
	select {
	case err := <-said:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
		return fmt.Errorf("%w: a forerunner has said nothing for %v: %w", ErrAdapterHung, forerunnerLimit, unix.ETIMEDOUT)
	}
}

// What a forerunner says, in one line: that it is connected, or the system call that failed and its errno, or anything
// else that went wrong.
const reportConnected = "connected"

func formatReport(err error) string {
	var serr *os.SyscallError
	var errno unix.Errno
	switch {
	case err == nil:
		return reportConnected + "\n"
	case errors.As(err, &serr) && errors.As(serr.Err, &errno):
		return fmt.Sprintf("%s %d\n", serr.Syscall, int(errno))
	}
	return "error: " + strings.ReplaceAll(err.Error(), "\n", " ") + "\n"
}

func parseReport(line string) error {
	line, whole := strings.CutSuffix(line, "\n")
	if !whole {
		return errors.New("a forerunner ended without a word")
	}
	call, number, _ := strings.Cut(line, " ")
	errno, err := strconv.Atoi(number)
	switch {
	case line == reportConnected:
		return nil
	case err == nil && errno > 0:
		return os.NewSyscallError(call, unix.Errno(errno))
	}
	return fmt.Errorf("a forerunner says %q", line)
}

func forerunnerMain() {
	if len(os.Args) != 3 || os.Args[0] != forerunnerName {
		return
	}
	// Cut short, it would leave a link that fails to the exit of a process, where the kernel may not survive it.
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGPIPE)
	local, err := bdaddr.Parse(os.Args[1])
	remote, rerr := bdaddr.Parse(os.Args[2])
	if err = errors.Join(err, rerr); err != nil {
		_, _ = io.WriteString(os.Stdout, formatReport(err)) // to nobody, then
		os.Exit(1)
	}
	system.forerun(local, remote, os.Stdout)
	os.Exit(0)
}

// forerun connects to the device's service discovery, says how that went, and only then closes: close(2) of a connect that
// could not raise its link is what ends a thread on kernels that have the bug.
func (h *host) forerun(local, remote bdaddr.Address, report io.Writer) {
	// Where nobody listens any more, the rest is done all the same.
	fd, err := h.open(protocolL2CAP, local, SecurityLow)
	if err != nil {
		_, _ = io.WriteString(report, formatReport(err))
		return
	}
	err = h.connect(fd, sockaddr(protocolL2CAP, remote, sdpPSM))
	switch {
	case errors.Is(err, unix.EINPROGRESS), errors.Is(err, unix.EINTR):
		err = awaitConnect(fd)
	case err != nil:
		err = os.NewSyscallError("connect", err)
	}
	_, _ = io.WriteString(report, formatReport(err))
	giveTimeToClose(func() { closeFD(fd) })
}

// giveTimeToClose waits for close, but not for one that ends its thread.
func giveTimeToClose(close func()) {
	closed := make(chan struct{}, 1)
	go func() {
		close()
		closed <- struct{}{}
	}()
	limit := time.NewTimer(closeLimit)
	defer limit.Stop()
	select {
	case <-closed:
	case <-limit.C:
	}
}

// awaitConnect waits for the end of a connect that is under way, without a limit: the kernel has its own.
func awaitConnect(fd int) error {
	for {
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("poll", err)
		}
		if done, err := connected(fd); done {
			return err
		}
	}
}
