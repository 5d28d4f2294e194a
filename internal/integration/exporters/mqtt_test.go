package exporters

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"powerspy2/powerspy/sim"
)

// A broker is a mosquitto that runs, for one user who is alice.
type broker struct {
	*process
	address, dir string
	ca           string // path of its authority's certificate; "": without TLS
}

const password = "a password: with # and blanks"

// newBroker starts one at an address; with TLS where there is a certificate.
func newBroker(t *testing.T, dir, address string, secure bool) *broker {
	t.Helper()
	b := &broker{address: address, dir: dir}
	host, port, _ := strings.Cut(address, ":")
	config := fmt.Sprintf("listener %s %s\nallow_anonymous false\npassword_file %s\npersistence false\nlog_type all\n", port, host, filepath.Join(dir, "passwords"))
	if os.Geteuid() == 0 {
		config += "user root\n" // it could not read the test's files as another one
	}
	if secure {
		b.ca = filepath.Join(dir, "server.crt")
		config += fmt.Sprintf("certfile %s\nkeyfile %s\n", b.ca, filepath.Join(dir, "server.key"))
	}
	path := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	passwords := filepath.Join(dir, "passwords")
	if _, err := os.Stat(passwords); err != nil {
		if out, err := exec.Command("mosquitto_passwd", "-b", "-c", passwords, "alice", password).CombinedOutput(); err != nil {
			t.Fatalf("mosquitto_passwd: %v\n%s", err, out)
		}
	}
	b.process = start(t, nil, "mosquitto", "-c", path)
	until(t, "mosquitto runs", func() bool {
		return strings.Contains(b.said.String(), "mosquitto version") && strings.Contains(b.said.String(), "running")
	})
	return b
}

// certificate makes a certificate for 127.0.0.1 that signs itself.
func certificate(t *testing.T, dir string) {
	t.Helper()
	out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
		"-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1",
		"-keyout", filepath.Join(dir, "server.key"), "-out", filepath.Join(dir, "server.crt")).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl: %v\n%s", err, out)
	}
}

// args are what mosquitto's clients need to reach the broker.
func (b *broker) args(more ...string) []string {
	host, port, _ := strings.Cut(b.address, ":")
	args := []string{"-h", host, "-p", port, "-u", "alice", "-P", password, "-V", "mqttv5"}
	if b.ca != "" {
		args = append(args, "--cafile", b.ca)
	}
	return append(args, more...)
}

// A message is one that mosquitto_sub saw.
type message struct {
	topic, payload string
	retained       bool
}

// subscribe starts mosquitto_sub, and returns what it has seen so far.
func (b *broker) subscribe(t *testing.T, topics ...string) func() []message {
	t.Helper()
	args := b.args("-F", "%t\t%r\t%p")
	for _, topic := range topics {
		args = append(args, "-t", topic)
	}
	p := start(t, nil, "mosquitto_sub", args...)
	return func() (list []message) {
		text := p.said.String()
		for line := range strings.Lines(text[:strings.LastIndexByte(text, '\n')+1]) {
			if f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3); len(f) == 3 {
				list = append(list, message{f[0], f[2], f[1] == "1"})
			}
		}
		return list
	}
}

// waitFor waits until a message came that is as it should be.
func waitFor(t *testing.T, what string, seen func() []message, is func(message) bool) (found message) {
	t.Helper()
	until(t, what, func() bool {
		for _, m := range seen() {
			if is(m) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// is returns a condition on topic and payload.
func is(topic, payload string) func(message) bool {
	return func(m message) bool { return m.topic == topic && m.payload == payload }
}

// retained returns those that are.
func retained(is func(message) bool) func(message) bool {
	return func(m message) bool { return m.retained && is(m) }
}

// lastState waits until the last state that was seen is as it should be.
func lastState(t *testing.T, what, topic, payload string, seen func() []message) {
	t.Helper()
	until(t, what, func() bool {
		state := ""
		for _, m := range seen() {
			if m.topic == topic {
				state = m.payload
			}
		}
		return state == payload
	})
}

// A real broker gets readings, states and what Home Assistant wants to know, over
// TLS, from a login; it is told of the end, and of a sudden one by the last will;
// when it is away the meter goes on, and that is told once.
func TestMQTT(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir)
	address := freePort(t)
	b := newBroker(t, dir, address, true)
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, meter := simulated(t, "load=constant,watts=100")
	serving := func() *server {
		return serve(t, nil, "--device", "tcp://"+meter, "--mqtt", "mqtts://alice@"+address, "--mqtt-ca-file", b.ca, "--mqtt-password-file", secret)
	}
	topic := "powerspy/" + meter
	seen := b.subscribe(t, "powerspy/#", "homeassistant/#")
	s := serving()

	reading := waitFor(t, "a reading", seen, func(m message) bool { return m.topic == topic+"/reading" && !m.retained })
	var values map[string]any
	if err := json.Unmarshal([]byte(reading.payload), &values); err != nil {
		t.Fatalf("%v: %s", err, reading.payload)
	}
	if p, ok := values["power_W"].(float64); !ok || p < 95 || p > 105 {
		t.Errorf("power_W is %v in %s", values["power_W"], reading.payload)
	}
	if _, ok := values["counter_J"].(float64); !ok {
		t.Errorf("there is no counter_J in %s", reading.payload)
	}
	waitFor(t, "the state", seen, is(topic+"/state", "online"))

	// Who comes later gets what is retained.
	later := b.subscribe(t, "powerspy/#", "homeassistant/#")
	waitFor(t, "the state that is retained", later, retained(is(topic+"/state", "online")))
	for _, key := range []string{"power", "energy", "voltage", "current", "frequency", "power_factor"} {
		m := waitFor(t, "discovery of "+key, later, func(m message) bool {
			return m.retained && strings.HasPrefix(m.topic, "homeassistant/sensor/powerspy_") && strings.HasSuffix(m.topic, "/"+key+"/config")
		})
		var config struct {
			State        string `json:"state_topic"`
			Availability string `json:"availability_topic"`
			Class        string `json:"device_class"`
		}
		if err := json.Unmarshal([]byte(m.payload), &config); err != nil {
			t.Fatalf("%v: %s", err, m.payload)
		}
		if config.State != topic+"/reading" || config.Availability != topic+"/state" || config.Class != key {
			t.Errorf("%s: unexpected %+v", key, config)
		}
	}

	// Home Assistant starts: everything again.
	discovered := func() int { return strings.Count(fmt.Sprint(seen()), "/energy/config") }
	before := discovered()
	if out, err := exec.Command("mosquitto_pub", b.args("-t", "homeassistant/status", "-m", "online")...).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_pub: %v\n%s", err, out)
	}
	until(t, "discovery again", func() bool { return discovered() > before })

	// The end says offline, and so does the last will of a server that is killed.
	s.end(t)
	lastState(t, "the state at the end", topic+"/state", "offline", seen)
	s = serving()
	lastState(t, "the state after that", topic+"/state", "online", seen)
	_ = s.Process.Signal(syscall.SIGKILL)
	lastState(t, "the last will", topic+"/state", "offline", seen)

	// The broker goes and comes back: told once each, and the meter loses nothing.
	s = serving()
	lastState(t, "the state before the outage", topic+"/state", "online", seen)
	b.end(t)
	until(t, "that the broker is away is told", func() bool { return strings.Contains(s.said.String(), "is away") })
	b = newBroker(t, dir, address, true)
	seen = b.subscribe(t, "powerspy/#")
	lastState(t, "the state after the outage", topic+"/state", "online", seen)
	until(t, "that the broker is back is told", func() bool { return strings.Contains(s.said.String(), "is back\n") })
	said := s.said.String()
	if strings.Count(said, "is away") != 1 || strings.Count(said, "is back\n") != 1 {
		t.Errorf("told more than once:\n%s", said)
	}
	for _, text := range []string{said, b.said.String()} {
		if strings.Contains(text, password) {
			t.Errorf("the password is told:\n%s", text)
		}
	}
}

// A meter that goes away is offline, and online when it is back; without TLS, with
// the password from the environment.
func TestMQTTOfAMeterThatIsAway(t *testing.T) {
	b := newBroker(t, t.TempDir(), freePort(t), false)
	m, meter := sim.New(sim.Config{}), freePort(t)
	away := reachable(t, m, meter)
	seen := b.subscribe(t, "powerspy/#")
	serve(t, []string{"POWERSPY_MQTT_PASSWORD=" + password}, "--device", "tcp://"+meter, "--mqtt", "mqtt://alice@"+b.address)
	topic := "powerspy/" + meter + "/state"
	lastState(t, "online", topic, "online", seen)
	away()
	lastState(t, "offline", topic, "offline", seen)
	defer reachable(t, m, meter)()
	lastState(t, "online again", topic, "online", seen)
}
