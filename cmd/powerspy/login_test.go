package main

import (
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

	server := start(t, "serve", "--listen", "127.0.0.1:0", "--web.config.file", at("web.yml"), "--device", quickSim)
	var address string
	for address == "" {
		l, err := server.stderr.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		_, address, _ = strings.Cut(strings.TrimSpace(l), "listening on ")
	}
	go func() { _, _ = io.Copy(io.Discard, server.stderr) }() // it must not be held up

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
