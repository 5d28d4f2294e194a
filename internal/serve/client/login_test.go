package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"powerspy2/internal/serve/api"
	"powerspy2/measure"
	"powerspy2/meter"
)

func TestNetrc(t *testing.T) {
	const text = `# machine lab login no password no
machine other login ann password other
macdef init
machine lab login macro password macro

machine lab
	login ann
	password "a \"b"
machine LAB password bobs login bob account x
default login anyone password usual
`
	path := filepath.Join(t.TempDir(), "netrc")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ host, user, login, password string }{
		{"lab", "", "ann", `a "b`},
		{"lab", "bob", "bob", "bobs"},
		{"lab", "eve", "", ""},
		{"other", "", "ann", "other"},
		{"elsewhere", "", "anyone", "usual"},
		{"elsewhere", "anyone", "anyone", "usual"},
	} {
		login, password, err := Netrc(path, tt.host, tt.user)
		if login != tt.login || password != tt.password || err != nil {
			t.Errorf("%+v: got %q, %q, %v", tt, login, password, err)
		}
	}
	if login, password, err := Netrc(path+".none", "lab", ""); login != "" || password != "" || err != nil {
		t.Errorf("without a file: %q, %q, %v", login, password, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, password, err := Netrc(path, "lab", ""); !errors.Is(err, ErrOpenNetrc) || password != "" {
		t.Errorf("readable by others: %q, %v", password, err)
	}
}

// FuzzNetrc: whatever is in the file, it comes to an end.
func FuzzNetrc(f *testing.F) {
	f.Add("machine lab login ann password \"x")
	f.Add("macdef\n\n#\\\"")
	f.Fuzz(func(_ *testing.T, text string) { netrcEntry(text, "lab", "") })
}

// guarded is a server that wants a login, and counts who knew it.
func guarded(t *testing.T, known *atomic.Int32) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != "ann" || password != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		known.Add(1)
		if _, err := io.WriteString(w, `[{"name":"bench","device":"sim:"}]`); err != nil {
			t.Log(err)
		}
	})
}

// TestPassword is sent to the server and nobody else, and not in the clear.
func TestPassword(t *testing.T) {
	var known atomic.Int32
	plain := httptest.NewServer(guarded(t, &known))
	defer plain.Close()
	encrypted := httptest.NewTLSServer(guarded(t, &known))
	defer encrypted.Close()
	redirecting := httptest.NewServer(http.RedirectHandler(plain.URL+"/api/v1/meters", http.StatusTemporaryRedirect))
	defer redirecting.Close()
	roots := x509.NewCertPool()
	roots.AddCert(encrypted.Certificate())

	elsewhere := func(context.Context, string) (net.Conn, error) {
		a, b := net.Pipe() // not an address of this machine
		_ = b.Close()
		return a, nil
	}
	for name, tt := range map[string]struct {
		login Login
		dial  func(context.Context, string) (net.Conn, error)
		want  error
	}{
		"loopback":          {login: Login{Server: meter.Server{URL: plain.URL}, User: "ann", Password: "s3cret"}},
		"wrong":             {login: Login{Server: meter.Server{URL: plain.URL}, User: "ann", Password: "secret"}, want: ErrLogin},
		"none":              {login: Login{Server: meter.Server{URL: plain.URL}}, want: ErrLogin},
		"TLS":               {login: Login{Server: meter.Server{URL: encrypted.URL}, User: "ann", Password: "s3cret", Roots: roots}},
		"unknown authority": {login: Login{Server: meter.Server{URL: encrypted.URL}, User: "ann", Password: "s3cret"}, want: ErrCertificate},
		"a redirect":        {login: Login{Server: meter.Server{URL: redirecting.URL}, User: "ann", Password: "s3cret"}, want: ErrRedirect},
		"in the clear":      {login: Login{Server: meter.Server{URL: "http://lab:9000"}, User: "ann", Password: "s3cret"}, dial: elsewhere, want: ErrPlain},
	} {
		t.Run(name, func(t *testing.T) {
			before := known.Load()
			c := New(tt.login)
			defer c.Close()
			if tt.dial != nil {
				c.dial = tt.dial
			}
			m, err := c.Meter(t.Context())
			if !errors.Is(err, tt.want) {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			if (err == nil) != (m.Name == "bench") || (err == nil) != (known.Load() > before) {
				t.Errorf("%+v, %v; the password was known to %d", m, err, known.Load()-before)
			}
			if err != nil && (!IsFinal(err) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestClientCertificate is shown to a server that asks for one, which hangs up on who
// has none.
func TestClientCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `[{"name":"bench"}]`)
	}))
	// Of this version the handshake itself fails, and not the first request after it.
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for _, tt := range []struct {
		shown *tls.Certificate
		want  error
	}{{&server.TLS.Certificates[0], nil}, {nil, ErrHandshake}} {
		c := New(Login{Server: meter.Server{URL: server.URL}, Roots: roots, Certificate: tt.shown})
		m, err := c.Meter(t.Context())
		if !errors.Is(err, tt.want) || (err == nil) != (m.Name == "bench") {
			t.Errorf("%+v, %v, want %v", m, err, tt.want)
		}
		if err != nil && (!IsFinal(err) || !errors.Is(err, meter.ErrNotReady)) {
			t.Errorf("the error is %v", err)
		}
		c.Close()
	}
}

// TestServerInTrouble: an alert that the server can't go on now is no reason to end.
func TestServerInTrouble(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errors.New("starting") }}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	c := New(Login{Server: meter.Server{URL: server.URL}})
	defer c.Close()
	if _, err := c.Meter(t.Context()); err == nil || IsFinal(err) || errors.Is(err, ErrHandshake) {
		t.Errorf("the error is %v", err)
	}
}

// TestOtherScheme: https where http is spoken, and the other way round, are told as
// such, and so is a server that takes no more connections.
func TestOtherScheme(t *testing.T) {
	nobody := http.NotFoundHandler()
	plain := httptest.NewServer(nobody)
	defer plain.Close()
	encrypted := httptest.NewUnstartedServer(nobody)
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0)
	encrypted.StartTLS()
	defer encrypted.Close()
	full := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer full.Close()
	for _, tt := range []struct {
		url        string
		want, kind error
	}{
		{strings.Replace(plain.URL, "http:", "https:", 1), ErrNoTLS, meter.ErrUsage},
		{strings.Replace(encrypted.URL, "https:", "http:", 1), ErrWantsTLS, meter.ErrUsage},
		{full.URL, ErrHungUp, meter.ErrNoAnswer},
	} {
		c := New(Login{Server: meter.Server{URL: tt.url}})
		if _, err := c.Meter(t.Context()); !errors.Is(err, tt.want) || !errors.Is(err, tt.kind) {
			t.Errorf("%v, want %v", err, tt.want)
		}
		c.Close()
	}
}

// TestForeignSocket: what belongs to another user is not asked.
func TestForeignSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 10)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		_, _ = io.WriteString(w, `[{"name":"bench"}]`)
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // ends with an error, always
	}()
	defer func() {
		_ = server.Close() // the listener goes with the test
		<-served
	}()
	c := New(Login{Server: meter.Server{Socket: path}})
	defer c.Close()
	if _, err := c.Meter(t.Context()); err != nil {
		t.Errorf("one's own: %v", err)
	}
	<-asked

	const somebody = 54321
	me := os.Getuid()
	if me == 0 {
		if err := os.Chown(path, somebody, -1); err != nil {
			t.Fatal(err)
		}
		again := New(Login{Server: meter.Server{Socket: path}})
		defer again.Close()
		if _, err := again.Meter(t.Context()); !errors.Is(err, ErrForeign) || !IsFinal(err) {
			t.Errorf("another user's: %v", err)
		}
		if err := os.Chown(path, 0, -1); err != nil {
			t.Fatal(err)
		}
	}
	// As another user sees it.
	want := ErrForeign
	if me == 0 {
		want = nil
	}
	if err := trustSocket(path, somebody); !errors.Is(err, want) {
		t.Errorf("the socket, to another user: %v", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := trustPeer(conn, somebody); !errors.Is(err, want) {
		t.Errorf("who listens, to another user: %v", err)
	}
	for _, tt := range []struct {
		owner, me int
		want      error
	}{{1000, 1000, nil}, {0, 1000, nil}, {1000, 0, ErrForeign}, {1000, 1001, ErrForeign}} {
		if err := trust(tt.owner, tt.me); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	select {
	case <-asked:
		t.Error("another user's server was asked")
	default:
	}
}

// TestNoSocket: where there is none, and where nobody listens.
func TestNoSocket(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{filepath.Join(dir, "none"): "no such file", dead: "connection refused"} {
		c := New(Login{Server: meter.Server{Socket: path}})
		_, err := c.Meter(t.Context())
		if !errors.Is(err, ErrUnreachable) || !errors.Is(err, meter.ErrNotFound) || !strings.Contains(err.Error(), text) || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%v", err)
		}
		c.Close()
	}
}

// TestSetMark: as the server gets it.
func TestSetMark(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == api.Clock {
			_, _ = io.WriteString(w, `{"time_s":5000.5,"receive_s":5000.5,"transmit_s":5000.5}`)
			return
		}
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `[{"name":"rack/1"}]`)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = append(got, r.Method+" "+r.URL.EscapedPath()+" "+r.Header.Get("Content-Type")+" "+string(body))
		if len(got) > 2 {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error":"not from here"}`)
			return
		}
		w.WriteHeader(http.StatusCreated)
	}))
	defer server.Close()
	c := New(Login{Server: meter.Server{URL: server.URL}})
	defer c.Close()
	for _, m := range []measure.Mark{{Name: "compile"}, {End: true}} {
		if err := c.SetMark(t.Context(), m); err != nil {
			t.Error(err)
		}
	}
	if err := c.SetMark(t.Context(), measure.Mark{Name: "x"}); !errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), "not from here") {
		t.Error(err)
	}
	if err := c.SetMark(t.Context(), measure.Mark{Name: "late", Time: time.Now().Add(-1000 * time.Second)}); !errors.Is(err, ErrForbidden) {
		t.Error(err)
	}
	late := got[len(got)-1]
	got = got[:len(got)-1]
	// 1000 s before the server's time, and how long the request took.
	if !regexp.MustCompile(`"name":"late","time_s":(4000|39\d\d)\.`).MatchString(late) {
		t.Errorf("a mark of 1000 s ago: %q", late)
	}
	const path = "POST /api/v1/meters/rack%2F1/marks application/json "
	if want := path + `{"name":"compile"}` + path + `{"end":true}` + path + `{"name":"x"}`; strings.Join(got, "") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
