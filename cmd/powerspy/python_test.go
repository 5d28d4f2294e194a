package main

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const pythonFolder = "../../scripts/python"

// pythons returns all Pythons from 3.9 on that this machine has, by their versions.
func pythons(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(os.Getenv("HOME"), ".pyenv/versions/*/bin/python3"))
	if err != nil {
		t.Fatal(err)
	}
	paths = append(paths, "python3", "/usr/bin/python3")
	found := make(map[string]string)
	for _, path := range paths {
		out, err := exec.Command(path, "-c", `import sys; print("%d.%d" % sys.version_info[:2], sys.version_info >= (3, 9))`).Output()
		if version, ok := strings.CutSuffix(strings.TrimSpace(string(out)), " True"); err == nil && ok {
			found[version] = path
		}
	}
	if len(found) == 0 {
		t.Fatal("there is no python3 from 3.9 on")
	}
	return found
}

// servePython serves two simulated meters on a socket for the time of the test.
func servePython(t *testing.T) (address string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	start(t, "serve", "--listen", "unix:"+socket,
		"-d", quickSim+",load=constant,watts=80", "-d", quickSim+",load=wave,low=40,watts=100")
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return "unix:" + socket
		}
		if time.Now().After(end) {
			t.Fatal("no server")
		}
	}
}

// TestPython runs the tests of powerspy.py with every Python that is there.
func TestPython(t *testing.T) {
	address := servePython(t)
	command, err := exec.LookPath("powerspy")
	if err != nil {
		t.Fatal(err)
	}
	for version, python := range pythons(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(python, "-W", "error", "-B", filepath.Join(pythonFolder, "test_powerspy.py"))
			cmd.Env = append(os.Environ(), "TEST_ADDRESS="+address, "TEST_COMMAND="+command, "HOME="+t.TempDir(), "XDG_CONFIG_HOME=")
			out, err := cmd.CombinedOutput()
			if err != nil || !regexp.MustCompile(`(?m)^Ran 1[0-9] tests in .*\n\nOK$`).Match(out) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestPythonPage runs what python.md shows.
func TestPythonPage(t *testing.T) {
	address := servePython(t) + ":sim2"
	page, err := os.ReadFile("../../docs/python.md")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`^[0-9.]+ J \+- [0-9.]+ J in [0-9.]+ s \(mean [0-9.]+ W, coverage 100.00 %\)\n[0-9.]+ \+- [0-9.]+ J, [0-9.]+ W in [0-9.]+ s\n$`,
		`^powerspy: train: [0-9.]+ J \+- [0-9.]+ J in [0-9.]+ s \(mean [0-9.]+ W, coverage 100.00 %\)\n[0-9.]+\n([0-9.]+ s: [0-9.]+ W, lowest [0-9.]+ W, highest [0-9.]+ W\n)+$`,
	}
	blocks := strings.Split(string(page), "```python\n")[1:]
	if len(blocks) != len(want) {
		t.Fatalf("%d programs, want %d", len(blocks), len(want))
	}
	for i, block := range blocks {
		program, _, _ := strings.Cut(block, "```")
		cmd := exec.Command("python3", "-W", "error", "-B", "-c", program)
		cmd.Env = append(os.Environ(), "POWERSPY_DEVICE="+address, "PYTHONPATH="+pythonFolder, "PYTHONUNBUFFERED=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !regexp.MustCompile(want[i]).Match(out) {
			t.Errorf("program %d: %v\n%s", i+1, err, out)
		}
	}
	typed(t, "sh", "../..", t.TempDir(), blockWith(t, "../../docs/python.md", "cp "))
}

// A server that wants a certificate of its clients is shown one.
func TestPythonCertificate(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"server", "client"} {
		selfSigned(t, at(name), at(name+".key"))
	}
	write(t, at("web.yml"), `tls_server_config:
  {cert_file: server, key_file: server.key, client_ca_file: client, client_auth_type: RequireAndVerifyClientCert}
`)
	address := "https://" + serveAt(t, at("web.yml"))
	program := `import powerspy, sys
address, server, client = sys.argv[1:]
tls = {"ca_file": server, "cert_file": client, "key_file": client + ".key"}
with powerspy.energy(address, **tls):
    powerspy.mark("load")
print(powerspy.meters(address, **tls)[0]["name"], next(iter(powerspy.readings(address, 0.1, **tls))).power > 0)
for wrong in ({"ca_file": server}, {"ca_file": server, "cert_file": client}):
    try:
        powerspy.meters(address, **wrong)
    except powerspy.PowerSpyError as err:
        print(type(err).__name__)
for at, wrong in ((address, {"key_file": client + ".key"}), ("http://127.0.0.1:1", {"cert_file": client})):
    try:
        powerspy.meters(at, **wrong)
    except powerspy.PowerSpyError as err:
        print(err)`
	for version, python := range pythons(t) {
		cmd := exec.Command(python, "-W", "error", "-B", "-c", program, address, at("server"), at("client"))
		cmd.Env = append(os.Environ(), "PYTHONPATH="+pythonFolder)
		out, err := cmd.CombinedOutput()
		if want := "sim True\nPowerSpyError\nPowerSpyError\nkey_file is of no use without cert_file\ncert_file is for a server at https://\n"; err != nil || string(out) != want {
			t.Errorf("%s: %v\n%s", version, err, out)
		}
	}
}

// A password goes to a server whose certificate is trusted, and to no other.
func TestPythonTLS(t *testing.T) {
	var mu sync.Mutex
	var got []string
	take := func() []string {
		mu.Lock()
		defer mu.Unlock()
		defer func() { got = nil }()
		return got
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		mu.Lock()
		defer mu.Unlock()
		got = append(got, user+":"+password)
		_, _ = io.WriteString(w, `[{"name":"rack1"}]`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of who trusts it not
	server.StartTLS()
	defer server.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	program := `import powerspy, sys
address = sys.argv[1].replace("//", "//ann@")
try:
    powerspy.meters(address)
except powerspy.PowerSpyError as err:
    print(err)
print(powerspy.meters(address, ca_file=sys.argv[2]))`
	for version, python := range pythons(t) {
		cmd := exec.Command(python, "-W", "error", "-B", "-c", program, server.URL, authority)
		cmd.Env = append(os.Environ(), "PYTHONPATH="+pythonFolder, "POWERSPY_PASSWORD=secret")
		out, err := cmd.CombinedOutput()
		if err != nil || !regexp.MustCompile(`^the certificate of https://127\.0\.0\.1:\d+ is not trusted: .*\n\[{'name': 'rack1'}\]\n$`).Match(out) {
			t.Errorf("%s: %v\n%s", version, err, out)
		}
		if got := take(); !slices.Equal(got, []string{"ann:secret"}) {
			t.Errorf("%s: the server got %q", version, got)
		}
	}
}
