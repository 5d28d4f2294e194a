package exporters

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"powerspy2/powerspy/sim"
)

// A real Prometheus scrapes fifty servers, each of a meter of its own, and its
// increase() of their counters agrees with what the meters' loads really drew within
// 0.1 %.
//
// For the comparison to be sound, both sides have to be about the same time.
// increase() stretches what it sees between the first and the last sample of its
// range to the whole range; so the range is that from one sample to another, to
// which nothing is added. And between two scrapes lie whole windows, not exactly the
// time between the scrapes, since a window is told when its frame has come; so the
// truth is that of as many windows as the counters of windows say. On a busy machine
// the first window that is told may not be the first one that could be; loads change so
// slowly that this makes no difference.
func TestPrometheusAgreesWithTheTruth(t *testing.T) {
	const servers = 50
	meters := make(map[string]*sim.Meter, servers)
	var targets []string
	for i := range servers {
		m, at := simulated(t, fmt.Sprintf("load=wave,watts=%d,low=%d,period=3s,link=exponential,seed=%d", 100+10*i, 90+9*i, i+1))
		s := serve(t, nil, "--device", "tcp://"+at)
		meters[s.address] = m
		targets = append(targets, strconv.Quote(s.address))
	}
	p := newPrometheus(t, "global: {scrape_interval: 1500ms, scrape_timeout: 1500ms}\nscrape_configs:\n- job_name: powerspy\n  static_configs: [{targets: ["+strings.Join(targets, ", ")+"]}]\n")
	agreed, disturbed, worst := make(map[string]bool), 0, 0.0
	until(t, "all servers agree with their meters", func() bool {
		energy := p.samples(t, `powerspy_energy_joules_total[1h]`)
		windows := p.samples(t, `powerspy_samples_total[1h]`)
		bridged := p.samples(t, `powerspy_bridged_windows_total[1h]`)
		gaps := p.samples(t, `powerspy_gap_seconds_total[1h]`)
		for instance, m := range meters {
			last := len(energy[instance]) - 1
			first := last - 6 // some seconds
			if agreed[instance] || first < 0 || len(gaps[instance]) <= last || len(windows[instance]) <= last || len(bridged[instance]) <= last {
				continue
			}
			if gaps[instance][last].value > 0 {
				// This machine is so busy that a meter was taken for silent: which of its
				// windows were lost is not known.
				disturbed++
				agreed[instance] = true
				continue
			}
			count := func(i int) int { return int(windows[instance][i].value + bridged[instance][i].value) }
			want := drawn(t, m, count(first), count(last))
			from, to := energy[instance][first].time, energy[instance][last].time
			got := p.value(t, fmt.Sprintf(`increase(powerspy_energy_joules_total{instance=%q}[%dms] @ %.3f)`, instance, int64(math.Round((to-from)*1000)), to))
			off := got/want - 1
			worst = max(worst, math.Abs(off))
			if math.Abs(off) > 0.001 {
				t.Errorf("%s: increase() is %.3f J, and %.3f J were drawn: %.4f %% off", instance, got, want, 100*off)
			}
			agreed[instance] = true
		}
		return len(agreed) == servers
	})
	t.Logf("%d servers agree within %.5f %%, %d had gaps", servers-disturbed, 100*worst, disturbed)
	if disturbed > servers/2 {
		t.Errorf("%d of %d meters had gaps: nothing can be said", disturbed, servers)
	}
}

// drawn returns what a meter's load drew in its windows from one number to before
// another, counted from the first that a client can tell anything of: the second
// one.
func drawn(t *testing.T, m *sim.Meter, from, to int) (energy float64) {
	t.Helper()
	for i := from; i < to; i++ {
		w, ok := m.Truth(i + 1)
		if !ok {
			t.Fatalf("there is no window %d", i+1)
		}
		energy += w.Energy
	}
	return energy
}

// promtool finds nothing to improve in the metrics, with a meter and without.
func TestMetricsAreLinted(t *testing.T) {
	s := serve(t, nil, "--device", "sim:", "--device", "tcp://"+freePort(t))
	until(t, "the meter measures", func() bool {
		text, err := s.get("/metrics")
		return err == nil && strings.Contains(text, "powerspy_power_watts{")
	})
	text, err := s.get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	lint := exec.Command("promtool", "check", "metrics")
	lint.Stdin = strings.NewReader(text)
	if out, err := lint.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// The alert rules are right, and fire when they should and not when they should not.
// The example of a scrape configuration is one.
func TestRules(t *testing.T) {
	for _, args := range [][]string{
		{"check", "rules", "alerts.yml"},
		{"test", "rules", "alerts_test.yml"},
		{"check", "config", "--syntax-only", "prometheus.yml"},
	} {
		c := exec.Command("promtool", args...)
		c.Dir = filepath.Join("..", "..", "..", "scripts", "prometheus")
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "SUCCESS") {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// Every query of the dashboard and of the alerts is one that Prometheus takes, and
// finds something while a meter measures, or is about what is not there then.
func TestDashboard(t *testing.T) {
	s := serve(t, nil, "--device", "sim:")
	s.measures(t)
	p := newPrometheus(t, "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\nscrape_configs:\n- job_name: powerspy\n  static_configs: [{targets: [\""+s.address+"\"]}]\n")
	until(t, "there are samples", func() bool { return len(p.samples(t, `powerspy_energy_joules_total[1h]`)[s.address]) >= 4 })
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "scripts", "prometheus", "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		UID        string
		Templating struct{ List []struct{ Name, Type string } }
		Panels     []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]string)
	for _, v := range board.Templating.List {
		names[v.Name] = v.Type
	}
	if names["datasource"] != "datasource" || names["meter"] != "query" || board.UID == "" {
		t.Errorf("unexpected variables %v", names)
	}
	queries := 0
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			queries++
			expr := strings.NewReplacer(`$meter`, `.*`, `$__rate_interval`, `1m`, `$__range`, `5m`, `$__interval`, `10s`, `$price`, `0.3`).Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s: a variable is not known: %s", panel.Title, target.Expr)
			}
			if n := len(p.query(t, expr)); n == 0 {
				t.Errorf("%s: nothing comes of %s", panel.Title, expr)
			}
		}
	}
	if queries < 8 {
		t.Errorf("only %d queries", queries)
	}
}

// Prometheus scrapes a server that asks for a password, over TLS.
func TestPrometheusLogsIn(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir)
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	crt, web, secret := filepath.Join(dir, "server.crt"), filepath.Join(dir, "web.yml"), filepath.Join(dir, "password")
	for path, text := range map[string]string{
		web:    fmt.Sprintf("tls_server_config: {cert_file: %s, key_file: %s}\nbasic_auth_users: {prometheus: %q}\n", crt, filepath.Join(dir, "server.key"), hash),
		secret: password,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, nil, "--device", "sim:", "--web.config.file", web)
	const job = `
- job_name: %s
  scheme: https
  tls_config: {ca_file: %s}
  static_configs: [{targets: [%q]}]
`
	p := newPrometheus(t, "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\nscrape_configs:"+
		fmt.Sprintf(job+"  basic_auth: {username: prometheus, password_file: %s}", "known", crt, s.address, secret)+
		fmt.Sprintf(job, "unknown", crt, s.address))
	until(t, "the server is scraped", func() bool { return len(p.query(t, `powerspy_up{job="known"} == 1`)) == 1 })
	until(t, "without a password it is not", func() bool { return len(p.query(t, `up{job="unknown"} == 0`)) == 1 })
}

// A prometheus is one that runs.
type prometheus struct{ url string }

// newPrometheus starts Prometheus with a configuration.
func newPrometheus(t *testing.T, config string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freePort(t)
	start(t, nil, "prometheus", "--config.file="+path, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	p := &prometheus{url: "http://" + address}
	until(t, "Prometheus is ready", func() bool {
		r, err := http.Get(p.url + "/-/ready")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return p
}

// A sample is a value at a time, UNIX seconds.
type sample struct{ time, value float64 }

// UnmarshalJSON implements [json.Unmarshaler].
func (s *sample) UnmarshalJSON(text []byte) (err error) {
	var pair [2]json.RawMessage
	if err = json.Unmarshal(text, &pair); err != nil {
		return err
	}
	var number string
	if err = json.Unmarshal(pair[0], &s.time); err != nil {
		return err
	}
	if err = json.Unmarshal(pair[1], &number); err != nil {
		return err
	}
	s.value, err = strconv.ParseFloat(number, 64)
	return err
}

// A series is what Prometheus answers of one.
type series struct {
	Metric map[string]string
	Value  sample
	Values []sample
}

// query asks Prometheus.
func (p *prometheus) query(t *testing.T, expr string) []series {
	t.Helper()
	r, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []series }
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	if answer.Status != "success" {
		t.Fatalf("%s: %s", expr, answer.Error)
	}
	return answer.Data.Result
}

// samples returns what a query has by instance.
func (p *prometheus) samples(t *testing.T, expr string) map[string][]sample {
	t.Helper()
	all := make(map[string][]sample)
	for _, s := range p.query(t, expr) {
		all[s.Metric["instance"]] = s.Values
	}
	return all
}

// value returns what a query of one value has.
func (p *prometheus) value(t *testing.T, expr string) float64 {
	t.Helper()
	list := p.query(t, expr)
	if len(list) != 1 {
		t.Fatalf("%s has %d values", expr, len(list))
	}
	return list[0].Value.value
}
