package bluez

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// busConfig follows the system bus's own configuration (system.conf) and
// BlueZ's policy (bluetooth.conf): method calls are denied, but for what is
// allowed. %[1]s is the directory, %[2]s the user, %[3]s whether the user may
// talk to BlueZ. BlueZ could be activated, and would leave a file behind.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=%[1]s/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>%[1]s/services</servicedir>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <policy user="%[2]s">
    <allow own="org.bluez"/>
    <allow send_interface="org.bluez.Agent1"/>
    <allow send_interface="org.bluez.Profile1"/>
    <allow own="org.freedesktop.systemd1"/>
    <allow send_destination="org.freedesktop.systemd1"/>
    <%[3]s send_destination="org.bluez"/>
  </policy>
</busconfig>
`

const serviceFile = "[D-BUS Service]\nName=org.bluez\nExec=/usr/bin/touch %s/activated\n"

// A testBus is a dbus-daemon of the test's own.
type testBus struct {
	dir     string
	address string
	cmd     *exec.Cmd
}

// startBus starts a bus on which the user of the test may talk to BlueZ.
func startBus(t *testing.T) *testBus { return startBusPolicy(t, "allow") }

// startBusPolicy starts a bus whose policy is to "allow" or to "deny" that.
func startBusPolicy(t *testing.T, policy string) *testBus {
	t.Helper()
	program, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Fatal("these tests need a bus of their own: apt-get install dbus")
	}
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	b := &testBus{dir: t.TempDir()}
	config := filepath.Join(b.dir, "bus.conf")
	services := filepath.Join(b.dir, "services")
	if err := os.Mkdir(services, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		config: fmt.Sprintf(busConfig, b.dir, u.Username, policy),
		filepath.Join(services, "org.bluez.service"): fmt.Sprintf(serviceFile, b.dir),
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	cmd := exec.Command(program, "--config-file="+config, "--nofork", "--print-address=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.cmd = cmd
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // the test may have
		_ = cmd.Wait()         // reports the kill
		if t.Failed() {
			t.Logf("dbus-daemon said:\n%s", stderr.String())
		}
	})
	// The address is printed when the bus is ready.
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("dbus-daemon did not start: %v", err)
	}
	b.address = strings.TrimSpace(line)
	if !strings.Contains(b.address, b.dir) {
		t.Fatalf("refusing to run on a bus that is not the test's own: %s", b.address)
	}
	return b
}

// connect is a bus connection of somebody's.
func (b *testBus) connect(t *testing.T) *dbus.Conn {
	t.Helper()
	conn, err := dbus.Connect(b.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // may have been closed by the test
	return conn
}

// dial makes the client under test.
func (b *testBus) dial(t *testing.T) *Client {
	t.Helper()
	c, err := dial(testContext(t), func(opts ...dbus.ConnOption) (*dbus.Conn, error) {
		return dbus.Connect(b.address, opts...)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// checkNotActivated fails when something made the bus start BlueZ.
func (b *testBus) checkNotActivated(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(b.dir, "activated")); err == nil {
		t.Error("the bus was made to start BlueZ")
	}
}

// testContext bounds what a test may take, many times over.
func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
