package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"powerspy2/bdaddr"
	"powerspy2/internal/config"
	"powerspy2/internal/owner"
	"powerspy2/meter"
	"powerspy2/record"
)

// overSocket is a client of a server on a Unix socket.
func overSocket(t *testing.T, path string) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// getText returns what a server answers.
func getText(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A server of two meters hands on what they measure, on a socket and a port, and keeps
// it; it ends whole on SIGTERM.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	socket, records := filepath.Join(dir, "s"), filepath.Join(dir, "records")
	if err := os.Mkdir(records, 0o700); err != nil {
		t.Fatal(err)
	}
	p := start(t, "serve", "-v", "--device", quickSim, "--device", quickSim+",load=constant,watts=100", "--listen", "unix:"+socket,
		"--listen", "127.0.0.1:0", "--record", records, "--socket-mode", "620")
	p.told("powerspy: listening on unix:" + socket)
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o620 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	var port string
	for port == "" {
		line, err := p.stderr.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if rest, ok := strings.CutPrefix(line, "powerspy: listening on http://127.0.0.1:"); ok {
			var warned bool
			port, warned = strings.CutSuffix(rest, "/, which all users of this machine can read\n")
			if !warned {
				t.Errorf("told %q", line)
			}
		}
	}
	go io.Copy(io.Discard, p.stderr)
	c := overSocket(t, socket)
	resp, err := c.Get("http://x/api/v1/meters/sim2/events?interval=200ms")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	var all []string
	for !slices.ContainsFunc(all, func(l string) bool { return strings.HasPrefix(l, `{"type":"reading"`) }) {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
	if !strings.HasPrefix(all[0], `{"type":"header"`) || !strings.Contains(all[0], `"name":"sim2"`) {
		t.Errorf("the stream begins with %s", all[0])
	}
	var meters []struct{ Name, State string }
	if err := json.Unmarshal([]byte(getText(t, http.DefaultClient, "http://127.0.0.1:"+port+"/api/v1/meters")), &meters); err != nil {
		t.Fatal(err)
	}
	if len(meters) != 2 || meters[0].Name != "sim" || meters[1].Name != "sim2" || meters[1].State != "up" {
		t.Errorf("the meters are %+v", meters)
	}
	begin := time.Now()
	p.signal(syscall.SIGTERM)
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Errorf("the stream was cut: %v", err)
	}
	if !json.Valid([]byte(rest[bytesLastLine(rest):])) {
		t.Errorf("it ends with %q", rest)
	}
	if got := p.wait(); got.ExitCode() != 0 {
		t.Error(got)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
	kept, err := filepath.Glob(filepath.Join(records, "sim2-*.jsonl.zst"))
	if err != nil || len(kept) == 0 {
		t.Fatalf("recordings %q, %v", kept, err)
	}
	r, err := record.Open(t.Context(), kept[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if w, ok := r.First(); !ok || w.Power < 90 || w.Power > 110 {
		t.Errorf("the recording begins with %+v", w)
	}
}

// bytesLastLine returns where the last line begins.
func bytesLastLine(b []byte) int {
	text := strings.TrimSuffix(string(b), "\n")
	return strings.LastIndexByte(text, '\n') + 1
}

// What is listened on beyond this machine without a login is refused, and so is what
// makes no sense, before any meter is opened.
func TestServeRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("basic_auth_users:\n  alice: $2y$04$7a9VcXgS.G8XZOsHe3p6NuS6HzfTPW8TGYVIPVVB8iS8p2mIlvFDm\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"XDG_RUNTIME_DIR": dir, "HOME": dir}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--listen", ":0"}, 1, "every machine on the network could read it without a password; give --web.config.file"},
		{[]string{"--listen", "0.0.0.0:0", "--web.config.file", file}, 1, "no TLS: passwords could be listened to; add tls_server_config"},
		{[]string{"--listen", "lab"}, 2, "neither unix:PATH nor HOST:PORT"},
		{[]string{"--listen", "127.0.0.1:99999"}, 2, `invalid port "99999"`},
		{[]string{"--listen", "unix:"}, 2, "needs a path"},
		{[]string{"--listen", "unix:" + file}, 1, "which is no socket"},
		{[]string{"--listen", "unix:" + dir + "/none/s"}, 1, "no such file or directory; make its directory first: `mkdir -p "},
		{[]string{"--device", "/dev/x", "--device", "/dev/x"}, 2, "a meter called /dev/x is given already"},
		{[]string{"--device", file}, 2, "it is a file"},
		{[]string{"--device", "unix:/s:lab"}, 2, "which serves it already"},
		{[]string{"--record", file}, 2, "takes a directory"},
		{[]string{"--record", dir + "/none"}, 1, "no such file or directory; make it first: `mkdir -p "},
		{[]string{"--web.config.file", dir}, 1, "is no regular file"},
		{[]string{"--web.config.file", dir + "/none"}, 1, "there is no web configuration " + dir + "/none; check its name"},
		{[]string{"--listen", taken.Addr().String()}, 1, "address already in use; give another port"},
		{[]string{"--socket-group", "no such group"}, 2, "there is no such group"},
		{[]string{"--socket-mode", "999"}, 2, "invalid mode"},
		{[]string{"--keep", "169h"}, 2, "is more than the 7 days that a server remembers at most; --record keeps all, in files"},
		{[]string{"--keep", "0"}, 2, "invalid"},
	} {
		args := append([]string{"serve"}, tt.args...)
		if !slices.Contains(tt.args, "--device") {
			args = append(args, "--device", quickSim)
		}
		_, stderr, status := inProcess(t, vars, args...)
		if status != tt.status || !strings.Contains(stderr, tt.want) {
			t.Errorf("%q: status %d, %s, want %d, %s", tt.args, status, stderr, tt.status, tt.want)
		}
		if strings.Count(stderr, "\n") > 2 {
			t.Errorf("%q tells\n%s", tt.args, stderr)
		}
	}
}

// What is remembered is told where it is much.
func TestServeMemory(t *testing.T) {
	for _, tt := range []struct {
		keep   time.Duration
		meters int
		want   string
	}{
		{time.Hour, 14, ""}, {time.Hour, 20, "remembering 1h0m0s of 20 meters takes up to 0.7 GB of memory"},
		{7 * 24 * time.Hour, 1, "remembering 168h0m0s of 1 meter takes up to 5.9 GB of memory"},
	} {
		if got := memoryFor(tt.keep, tt.meters); got != tt.want {
			t.Errorf("%v, %d: %q, want %q", tt.keep, tt.meters, got, tt.want)
		}
	}
}

// As a service it is ready when it listens, on the socket that systemd has made.
func TestServeService(t *testing.T) {
	dir := t.TempDir()
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	path := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// LISTEN_PID is that of the process, which exec keeps.
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec powerspy serve --quiet --device "$1"`, "sh", quickSim)
	cmd.ExtraFiles = []*os.File{f}
	cmd.Env = append(os.Environ(), "HOME="+dir, "NOTIFY_SOCKET="+filepath.Join(dir, "notify"), "WATCHDOG_USEC=", "XDG_CONFIG_HOME=", "POWERSPY_DEVICE=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	receive := func(prefix string) {
		t.Helper()
		b := make([]byte, 4096)
		for {
			n, err := notify.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(string(b[:n]), prefix) {
				return
			}
		}
	}
	receive("READY=1\nSTATUS=")
	if text := getText(t, overSocket(t, path), "http://x/-/healthy"); !strings.Contains(text, "healthy") {
		t.Errorf("got %s", text)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	receive("STOPPING=1\n")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// On SIGHUP the web configuration is read again; one that is wrong changes nothing.
func TestServeReload(t *testing.T) {
	dir := t.TempDir()
	web := filepath.Join(dir, "web.yml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(web, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	socket := filepath.Join(dir, "s")
	p := start(t, "serve", "--device", quickSim, "--listen", "unix:"+socket, "--web.config.file", web)
	p.told("powerspy: listening on unix:" + socket)
	if text := getText(t, overSocket(t, socket), "http://x/-/healthy"); !strings.Contains(text, "healthy") {
		t.Errorf("got %s", text)
	}
	p.signal(syscall.SIGHUP)
	p.told("powerspy: the web configuration was read again")
	write("no_such_key: 1\n")
	p.signal(syscall.SIGHUP)
	line, err := p.stderr.ReadString('\n')
	for err == nil && !strings.HasSuffix(line, "; the one of before stays in force\n") {
		line, err = p.stderr.ReadString('\n')
	}
	if err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGTERM)
	if got := p.wait(); got.ExitCode() != 0 {
		t.Error(got)
	}
}

// Meters are served by their aliases, their names, or their addresses.
func TestServedNames(t *testing.T) {
	address, other := bdaddr.Address{0, 0x0B, 0xCE, 7, 0x1D, 0x32}, bdaddr.Address{0, 0x0B, 0xCE, 7, 0x1D, 0x33}
	c := &config.Config{}
	c.Remember(meter.Target{Kind: meter.Bluetooth, Address: other, Name: "PowerSpy 4568"})
	c.Remember(meter.Target{Kind: meter.Bluetooth, Address: address, Name: "PowerSpy 4567", Alias: "lab"})
	s := &serving{session: &session{config: c}}
	names := func(devices ...string) (names []string) {
		t.Helper()
		list, err := s.meters(devices)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			names = append(names, m.Name)
		}
		return names
	}
	for _, tt := range []struct{ devices, want []string }{
		{[]string{""}, []string{"lab"}},
		{[]string{address.String(), other.String()}, []string{"lab", "PowerSpy 4568"}},
		{[]string{"LAB", "powerspy 4568", "PowerSpy 9"}, []string{"lab", "PowerSpy 4568", "PowerSpy 9"}},
		{[]string{"00:0B:CE:00:00:01", "/dev/rfcomm0", "tcp://lab:4000"}, []string{"00:0B:CE:00:00:01", "/dev/rfcomm0", "lab:4000"}},
		{[]string{"sim:", "sim:load=wave", "sim"}, []string{"sim", "sim2", "sim3"}},
	} {
		if diff := cmp.Diff(tt.want, names(tt.devices...)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.devices, diff)
		}
	}
	if _, err := s.meters([]string{"lab", address.String()}); err == nil {
		t.Error("a meter is served twice")
	}
	s.config = &config.Config{}
	if diff := cmp.Diff([]string{"powerspy"}, names("")); diff != "" {
		t.Errorf("of no known meter (-want +got):\n%s", diff)
	}
}

// Who finds a meter in use by a server is told where it can be read.
func TestServeClaims(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	getenv := func(k string) string { return map[string]string{"XDG_RUNTIME_DIR": dir}[k] }
	s := &serving{session: &session{env: env{getenv: getenv, args: []string{"powerspy", "serve"}}}, socket: "/run/lab.sock"}
	target := meter.Target{Kind: meter.TCP, Host: "lab:4000"}
	release, err := s.claimServed(target)
	if err != nil {
		t.Fatal(err)
	}
	_, err = owner.Claim(getenv, owner.Key(target), owner.Self(nil))
	var held *owner.HeldError
	if !errors.As(err, &held) || held.Holder.Socket != "/run/lab.sock" {
		t.Errorf("got %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
}

// A server that is told nothing listens where a service, or else this user, has its
// things.
func TestServeSocket(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		vars map[string]string
		want string
	}{
		{map[string]string{"RUNTIME_DIRECTORY": "/run/powerspy:/run/other", "XDG_RUNTIME_DIR": dir}, "/run/powerspy/powerspy.sock"},
		{map[string]string{"RUNTIME_DIRECTORY": "powerspy", "XDG_RUNTIME_DIR": dir}, filepath.Join(dir, "powerspy", "serve.sock")},
	} {
		got, err := serveSocket(func(k string) string { return tt.vars[k] })
		if err != nil || got != tt.want {
			t.Errorf("%v: %q, %v, want %q", tt.vars, got, err, tt.want)
		}
	}
}
