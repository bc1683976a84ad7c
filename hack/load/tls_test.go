package main

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"movieexample.com/fleet/test/parts"
)

const movieID = "spiffe://cluster.local/ns/local/sa/movie"

func TestCallsByTLS(t *testing.T) {
	ca := parts.NewAuthority(t)
	dir := t.TempDir()
	parts.WriteBinding(t, dir, parts.TLSKeys(ca.Leaf(t, "spiffe://cluster.local/ns/local/sa/dev"), ca))
	leaf := ca.Leaf(t, movieID)
	chain, err := tls.X509KeyPair(leaf.Certificate, leaf.Key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{chain}, ClientAuth: tls.RequireAnyClientCert}
	api := serveMovies(t, &movies{}, grpc.Creds(credentials.NewTLS(config)))
	web := serveREST(t, config)
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"gRPC":              {[]string{"--target", "static:///" + api, "--identity", movieID}, exitOK, ""},
		"REST":              {[]string{"--rest", web, "--identity", movieID}, exitOK, ""},
		"another server":    {[]string{"--target", "static:///" + api, "--identity", movieID + "x"}, exitFailed, "at most 0 may"},
		"nobody is named":   {[]string{"--target", "static:///" + api}, exitMistake, "--tls and --identity go together"},
		"not an identity":   {[]string{"--target", "static:///" + api, "--identity", "movie"}, exitMistake, `the server's identity "movie"`},
		"no such directory": {[]string{"--target", "static:///" + api, "--identity", movieID, "--tls", dir + "/x"}, exitMistake, "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(append([]string{"--tls", dir, "--movies", "1", "--rate", "50", "--duration", "200ms", "--max-failed", "0"}, tc.args...), &stdout, &stderr)
			if code != tc.code || !strings.Contains(stderr.String(), tc.want) {
				t.Errorf("exit = %d, %q, %s, want %d with %q", code, stderr.String(), stdout.String(), tc.code, tc.want)
			}
		})
	}
}

// serveREST answers every request by TLS.
func serveREST(t *testing.T, config *tls.Config) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = config.Clone()
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}
