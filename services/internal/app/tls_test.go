package app

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/test/parts"
)

const ratingID = "spiffe://cluster.local/ns/movies/sa/rating"

// bind lays out a binding tls below a new root.
func bind(t *testing.T, keys map[string]string) {
	t.Helper()
	root := t.TempDir()
	parts.MountBinding(t, filepath.Join(root, "tls"), keys)
	t.Setenv(binding.RootEnv, root)
}

func TestServeWithTLS(t *testing.T) {
	ca := parts.NewAuthority(t)
	bind(t, parts.TLSKeys(ca.Leaf(t, ratingID), ca))
	r := launch(t, program(fine, always()), "--tls.mode", "mutual", "--upstream.identity", ratingID, "--shutdown.propagation", "0s")
	defer func() { r.signals <- os.Interrupt; <-r.exit }()
	r.until(t, "it is ready", func() bool { code, _ := r.get(t, r.admin+"/readyz"); return code == 200 })

	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("https" + strings.TrimPrefix(r.rest, "http") + "/v1/ratings/movie/1")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("REST over TLS = %d, want 200", resp.StatusCode)
	}
	if _, metrics := r.get(t, r.admin+"/metrics"); !strings.Contains(metrics, "tls_bundle_info{fingerprint=") {
		t.Error("the admin port, which stays plain, does not tell tls_bundle_info")
	}
	if _, err := tls.Dial("tcp", r.api, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}); err == nil {
		t.Error("gRPC without a certificate: the handshake succeeded, want it refused")
	}
}

func TestMistakesWithTLS(t *testing.T) {
	ca := parts.NewAuthority(t)
	good := parts.TLSKeys(ca.Leaf(t, ratingID), ca)
	wrong := parts.TLSKeys(ca.Leaf(t, ratingID), parts.NewAuthority(t))
	for name, tc := range map[string]struct {
		keys map[string]string
		args []string
		code int
		want string
	}{
		"no identity of an upstream": {good, nil, exitMistake, `upstream.identity: "" is empty: with tls.mode server, name whom to trust there`},
		"files that do not fit":      {wrong, []string{"--upstream.identity", ratingID}, exitFailed, "tls.crt is not signed by an authority in ca.crt"},
		"no binding":                 {nil, []string{"--upstream.identity", ratingID}, exitFailed, `binding "tls": directory`},
		"clients nobody would know":  {good, []string{"--tls.clients", ratingID}, exitMistake, "needs tls.mode mutual"},
		"a client that is no identity": {good, []string{"--tls.mode", "mutual", "--tls.clients", "movie"}, exitMistake,
			`tls.clients: "movie" is not an identity of the form spiffe://DOMAIN/ns/NAMESPACE/sa/SERVICE`},
		"a domain that is none":    {good, []string{"--tls.trustDomain", "A b"}, exitMistake, `tls.trustDomain: "A b" is not a trust domain`},
		"an upstream that is none": {good, []string{"--upstream.identity", "spiffe://x"}, exitMistake, `upstream.identity: "spiffe://x" is not an identity`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(binding.RootEnv, t.TempDir())
			if tc.keys != nil {
				bind(t, tc.keys)
			}
			var stderr strings.Builder
			code := run(t.Context(), program(fine, always()), append([]string{"--tls.mode", "server"}, tc.args...), process{
				lookupEnv: func(string) (string, bool) { return "", false }, stdout: io.Discard, stderr: &stderr, signals: make(chan os.Signal),
			})
			if code != tc.code || !strings.Contains(stderr.String(), tc.want) {
				t.Errorf("exit = %d, %q, want %d with %q", code, stderr.String(), tc.code, tc.want)
			}
		})
	}
}

func TestConfigCheckReadsTheCertificate(t *testing.T) {
	ca := parts.NewAuthority(t)
	for name, tc := range map[string]struct {
		keys map[string]string
		code int
		want string
	}{
		"good":         {parts.TLSKeys(ca.Leaf(t, ratingID), ca), exitOK, ""},
		"does not fit": {parts.TLSKeys(ca.Leaf(t, ratingID), parts.NewAuthority(t)), exitMistake, "tls.crt is not signed by an authority in ca.crt"},
		"is not there": {nil, exitMistake, `binding "tls": directory`},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if tc.keys != nil {
				parts.MountBinding(t, filepath.Join(root, "tls"), tc.keys)
			}
			code, _, stderr := ask(t, program(fine, always()), map[string]string{binding.RootEnv: root},
				"config", "check", "--tls.mode", "mutual", "--upstream.identity", ratingID)
			if code != tc.code || !strings.Contains(stderr, tc.want) {
				t.Errorf("config check = %d, %q, want %d with %q", code, stderr, tc.code, tc.want)
			}
		})
	}
}
