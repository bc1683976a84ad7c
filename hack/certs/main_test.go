package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func certs(t *testing.T, now time.Time, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	return run(args, now, &out, &out), out.String()
}

func TestCertificatesAreSignedForLocalhostAndTheIdentity(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	if code, out := certs(t, time.Now(), "--dir", dir, "rating", "movie"); code != exitOK {
		t.Fatalf("certs = %d %s, want 0", code, out)
	}
	first := leaf(t, dir, "rating")
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil || !roots.AppendCertsFromPEM(ca) {
		t.Fatalf("ca.crt = %q, %v, want a certificate", ca, err)
	}
	if _, err := first.Verify(x509.VerifyOptions{Roots: roots, DNSName: "127.0.0.1"}); err != nil {
		t.Errorf("the certificate of rating for 127.0.0.1: %v", err)
	}
	if got := first.URIs[0].String(); got != "spiffe://cluster.local/ns/local/sa/rating" {
		t.Errorf("identity = %s, want spiffe://cluster.local/ns/local/sa/rating", got)
	}

	if code, out := certs(t, time.Now(), "--dir", dir, "rating"); code != exitOK {
		t.Fatalf("certs again = %d %s, want 0", code, out)
	}
	second := leaf(t, dir, "rating")
	if second.Equal(first) {
		t.Error("certs again left the certificate, want a new one")
	}
	if _, err := second.Verify(x509.VerifyOptions{Roots: roots}); err != nil {
		t.Errorf("the second certificate: %v, want it from the same authority", err)
	}
}

func leaf(t *testing.T, dir, service string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, service, "tls", "tls.crt"), filepath.Join(dir, service, "tls", "tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestKeysAreForTheirOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	if code, out := certs(t, time.Now(), "--dir", dir, "rating"); code != exitOK {
		t.Fatalf("certs = %d %s, want 0", code, out)
	}
	for _, key := range []string{"ca.key", "rating/tls/tls.key"} {
		info, err := os.Stat(filepath.Join(dir, key))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s = %v, %v, want mode 0600", key, info.Mode(), err)
		}
	}
}

func TestMistakes(t *testing.T) {
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "ca.crt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "certs")
	if code, out := certs(t, time.Now().Add(-2*authorityLifetime), "--dir", old, "rating"); code != exitOK {
		t.Fatalf("certs two years ago = %d %s, want 0", code, out)
	}
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no service":         {nil, exitMistake, "name the services"},
		"a path for a name":  {[]string{"../x"}, exitMistake, `"../x" is not a name`},
		"a wrong domain":     {[]string{"--trust-domain", "A/b", "rating"}, exitMistake, `--trust-domain "A/b"`},
		"no lifetime":        {[]string{"--lifetime", "0s", "rating"}, exitMistake, "--lifetime 0s is not above 0"},
		"half an authority":  {[]string{"--dir", broken, "rating"}, exitFailed, "remove " + broken + " to begin anew"},
		"an authority's end": {[]string{"--dir", old, "rating"}, exitFailed, "the authority expired on"},
		"not to be written":  {[]string{"--dir", "/dev/null/certs", "rating"}, exitFailed, "/dev/null/certs"},
	} {
		t.Run(name, func(t *testing.T) {
			if code, out := certs(t, time.Now(), tc.args...); code != tc.code || !strings.Contains(out, tc.want) {
				t.Errorf("certs %q = %d %q, want %d with %q", tc.args, code, out, tc.code, tc.want)
			}
		})
	}
}
