package main

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// selfSigned writes a certificate for 127.0.0.1, and its key.
func selfSigned(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, certFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}

// write writes a file that nobody else can read.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serveAt starts a server with a web configuration, and returns its address.
func serveAt(t *testing.T, webConfig string) (address string) {
	t.Helper()
	server := start(t, "serve", "--listen", "127.0.0.1:0", "--web.config.file", webConfig, "--device", quickSim)
	for address == "" {
		l, err := server.stderr.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		_, address, _ = strings.Cut(strings.TrimSpace(l), "listening on ")
	}
	go func() { _, _ = io.Copy(io.Discard, server.stderr) }() // it must not be held up
	return address
}

// TestLogin: a server that wants TLS and a password, and the ways to give it one.
func TestLogin(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	selfSigned(t, at("cert"), at("key"))
	hash, err := bcrypt.GenerateFromPassword([]byte("s3cret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	write(t, at("web.yml"), fmt.Sprintf("tls_server_config: {cert_file: cert, key_file: key}\nbasic_auth_users: {ann: %q}\n", hash))
	write(t, at("password"), "s3cret\n")
	write(t, at("wrong"), "secret\n")
	write(t, at("netrc"), "machine 127.0.0.1 login ann password s3cret\n")

	address := serveAt(t, at("web.yml"))
	ca := []string{"--ca-file", at("cert")}
	for name, tt := range map[string]struct {
		user   string
		env    map[string]string
		args   []string
		status int
		told   string
	}{
		"a file":                {user: "ann@", args: append(ca, "--password-file", at("password"))},
		"the environment":       {user: "ann@", env: map[string]string{passwordVariable: "s3cret"}, args: ca},
		"netrc":                 {env: map[string]string{"NETRC": at("netrc")}, args: ca},
		"its user, with a file": {env: map[string]string{"NETRC": at("netrc")}, args: append(ca, "--password-file", at("password"))},
		"a wrong one":           {user: "ann@", args: append(ca, "--password-file", at("wrong")), status: 4, told: "--password-file FILE"},
		"none":                  {user: "ann@", args: ca, status: 4, told: "--password-file FILE"},
		"no user":               {args: append(ca, "--password-file", at("password")), status: 2, told: "https://USER@HOST:PORT"},
		"not trusted":           {user: "ann@", args: []string{"--password-file", at("password")}, status: 4, told: "--ca-file FILE"},
		"no certificates":       {user: "ann@", args: []string{"--ca-file", at("password")}, status: 2, told: "no certificate in it"},
		"another user's netrc":  {user: "bob@", env: map[string]string{"NETRC": at("netrc")}, args: ca, status: 4, told: "--password-file FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, variable := range []string{"NETRC", passwordVariable} {
				t.Setenv(variable, tt.env[variable])
			}
			p := start(t, append([]string{"measure", "--count", "1", "--interval", "100ms", "--device", "https://" + tt.user + address}, tt.args...)...)
			told, err := io.ReadAll(p.stderr)
			if err != nil {
				t.Error(err)
			}
			if got := p.wait().ExitCode(); got != tt.status && (tt.status != 0 || got != withGaps) || !strings.Contains(string(told), tt.told) || strings.Contains(string(told), "cret") {
				t.Errorf("%v, want %d; it told %q", got, tt.status, told)
			}
		})
	}
}

// TestLoginCertificate: a server that wants a certificate of its clients.
func TestLoginCertificate(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"server", "client", "other"} {
		selfSigned(t, at(name), at(name+".key"))
	}
	both := ""
	for _, name := range []string{"client", "client.key"} {
		text, err := os.ReadFile(at(name))
		if err != nil {
			t.Fatal(err)
		}
		both += string(text)
	}
	write(t, at("both"), both)
	// Of this version the handshake itself fails, and not the first request after it.
	write(t, at("web.yml"), `tls_server_config:
  {cert_file: server, key_file: server.key, client_ca_file: client, client_auth_type: RequireAndVerifyClientCert, max_version: TLS12}
`)
	address := serveAt(t, at("web.yml"))
	for name, tt := range map[string]struct {
		scheme string
		args   []string
		status int
		told   string
	}{
		"two files":      {args: []string{"--cert-file", at("client"), "--key-file", at("client.key")}},
		"one file":       {args: []string{"--cert-file", at("both")}},
		"none":           {status: 4, told: "--cert-file FILE and --key-file FILE"},
		"another one":    {args: []string{"--cert-file", at("other"), "--key-file", at("other.key")}, status: 4, told: "--cert-file FILE"},
		"no key":         {args: []string{"--cert-file", at("client")}, status: 2, told: "--cert-file " + at("client")},
		"another key":    {args: []string{"--cert-file", at("client"), "--key-file", at("other.key")}, status: 2, told: "does not match"},
		"no certificate": {args: []string{"--key-file", at("client.key")}, status: 2, told: "of no use without --cert-file"},
		"no TLS":         {scheme: "http://", args: []string{"--cert-file", at("both")}, status: 2, told: "is for a server at https://"},
	} {
		t.Run(name, func(t *testing.T) {
			device := cmp.Or(tt.scheme, "https://") + address
			args := append([]string{"measure", "--count", "1", "--interval", "100ms", "--device", device, "--ca-file", at("server")}, tt.args...)
			p := start(t, args...)
			told, err := io.ReadAll(p.stderr)
			if err != nil {
				t.Error(err)
			}
			if got := p.wait().ExitCode(); got != tt.status && (tt.status != 0 || got != withGaps) || !strings.Contains(string(told), tt.told) {
				t.Errorf("%v, want %d; it told %q", got, tt.status, told)
			}
		})
	}
}
