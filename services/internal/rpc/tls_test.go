package rpc_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/hack/certs/authority"
	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/discovery/discoverytest"
	"movieexample.com/fleet/services/internal/identity"
	"movieexample.com/fleet/services/internal/rpc"
	"movieexample.com/fleet/test/parts"
)

func TestCallersThatAreRefused(t *testing.T) {
	ours, other := parts.NewAuthority(t), parts.NewAuthority(t)
	unknown, old, nameless := other.Leaf(t, movieID), ours.Leaf(t, movieID, expired), ours.Leaf(t, "")
	foreign := ours.Leaf(t, "spiffe://elsewhere/ns/movies/sa/movie")
	good := ours.Leaf(t, movieID)
	for name, tc := range map[string]struct {
		credentials credentials.TransportCredentials
		told        string // to the caller
		logged      string
	}{
		"of an unknown authority": {client(t, &unknown, nil), "tls: bad certificate", "x509: certificate signed by unknown authority"},
		"expired":                 {client(t, &old, nil), "tls: bad certificate", "certificate has expired"},
		"without an identity":     {client(t, &nameless, nil), "tls: bad certificate", "certificate contains no URI SAN"},
		"of another trust domain": {client(t, &foreign, nil), "tls: bad certificate", "the caller spiffe://elsewhere/ns/movies/sa/movie has a certificate that cannot be accepted"},
		"without a certificate":   {client(t, nil, nil), "tls: certificate required", "client didn't provide a certificate"},
		"without TLS":             {insecure.NewCredentials(), "error reading server preface", "first record does not look like a TLS handshake"},
		"with a TLS that is old":  {client(t, &good, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), "protocol version not supported", "unsupported versions"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveSecured(t, ours, fine)
			conn := caller(t, s.api, tc.credentials, nil, "")
			wantRefused(t, tc.told, func() error { return getRating(t.Context(), conn) })
			discoverytest.Eventually(t, "the server's log says that a connection was refused: "+tc.logged, func() bool {
				return strings.Contains(s.log.String(), "A connection was refused") && strings.Contains(s.log.String(), tc.logged)
			})
			if got := counter(t, s.metrics, "grpc_server_handshakes_refused_total", nil); got < 1 {
				t.Errorf("grpc_server_handshakes_refused_total = %v, want at least 1", got)
			}
		})
	}
}

func TestServersThatAreRefused(t *testing.T) {
	ours, other := parts.NewAuthority(t), parts.NewAuthority(t)
	us := hold(t, ours.Leaf(t, movieID), slog.New(slog.DiscardHandler), ours)
	for name, tc := range map[string]struct {
		server *authority.Pair // nil: no TLS
		told   string
	}{
		"another service":         {ref(ours.Leaf(t, movieID)), "the server is " + movieID + ", want " + ratingID},
		"of an unknown authority": {ref(other.Leaf(t, ratingID)), "x509: certificate signed by unknown authority"},
		"expired":                 {ref(ours.Leaf(t, ratingID, expired)), "certificate has expired"},
		"without an identity":     {ref(ours.Leaf(t, "")), "certificate contains no URI SAN"},
		"without TLS":             {nil, "first record does not look like a TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			option := grpc.Creds(insecure.NewCredentials())
			if tc.server != nil {
				chain, err := tls.X509KeyPair(tc.server.Certificate, tc.server.Key)
				if err != nil {
					t.Fatal(err)
				}
				option = grpc.Creds(credentials.NewServerTLSFromCert(&chain))
			}
			server, l := grpc.NewServer(option), listen(t)
			var wait sync.WaitGroup
			wait.Go(func() { _ = server.Serve(l) })
			defer func() { server.Stop(); wait.Wait() }()

			clients := rpc.NewClients(prometheus.NewRegistry(), discovery.NewResolver("static", discovery.Static{}, slog.New(slog.DiscardHandler)))
			defer func() { _ = clients.Close() }()
			id := spiffeid.RequireFromString(ratingID)
			conn, err := clients.Dial("rating", "static:///"+l.Addr().String(), callTime, rpc.WithServer(id, us.ClientCredentials(id)))
			if err != nil {
				t.Fatal(err)
			}
			if err := getRating(t.Context(), conn); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), tc.told) {
				t.Errorf("call = %v, want UNAVAILABLE with %q", err, tc.told)
			}
		})
	}
}

func TestOnlyClientsInTheListMayCall(t *testing.T) {
	ca := parts.NewAuthority(t)
	s := serveSecured(t, ca, fine, spiffeid.RequireFromString(movieID))
	listed := hold(t, ca.Leaf(t, movieID), slog.New(slog.DiscardHandler), ca)
	stranger := hold(t, ca.Leaf(t, "spiffe://cluster.local/ns/movies/sa/stranger"), slog.New(slog.DiscardHandler), ca)
	if err := getRating(t.Context(), caller(t, s.api, nil, listed.Files, ratingID)); err != nil {
		t.Errorf("a call of a client = %v, want no error", err)
	}
	conn := caller(t, s.api, nil, stranger.Files, ratingID)
	err := getRating(t.Context(), conn)
	want := "spiffe://cluster.local/ns/movies/sa/stranger may not call this service: it is not one of its clients (tls.clients)"
	if got := status.Convert(err); got.Code() != codes.PermissionDenied || got.Message() != want {
		t.Errorf("a call of a stranger = %v, want PERMISSION_DENIED %q", err, want)
	}
	if log := s.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "stranger") {
		t.Errorf("the server's log = %q, want one line that names the stranger", log)
	}
	if _, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
		t.Errorf("a stranger's question for health = %v, want an answer", err)
	}
	if code, body := s.overREST(t, nil, nil); code != http.StatusForbidden || !strings.Contains(body, "a caller without a certificate may not call") {
		t.Errorf("REST without a certificate = %d %s, want 403", code, body)
	}
	if code, body := s.overREST(t, listed.Client(s.ID()), nil); code != http.StatusOK {
		t.Errorf("REST with a client's certificate = %d %s, want 200", code, body)
	}
}

func TestWhoCalls(t *testing.T) {
	ca := parts.NewAuthority(t)
	seen := make(chan string, 1)
	s := serveSecured(t, ca, func(ctx context.Context) error {
		id, ok := identity.Caller(ctx)
		if !ok {
			seen <- "nobody"
			return nil
		}
		seen <- id.String()
		return nil
	})
	us := hold(t, ca.Leaf(t, movieID), slog.New(slog.DiscardHandler), ca)
	conn := caller(t, s.api, nil, us.Files, ratingID)
	for name, tc := range map[string]struct {
		call func()
		want string
	}{
		"gRPC": {func() { _ = getRating(t.Context(), conn) }, movieID},
		"gRPC that claims to be another": {func() {
			_ = getRating(metadata.AppendToOutgoingContext(t.Context(), "fleet-caller-identity", ratingID), conn)
		}, movieID},
		"REST with a certificate":    {func() { s.overREST(t, us.Client(s.ID()), nil) }, movieID},
		"REST without a certificate": {func() { s.overREST(t, nil, nil) }, "nobody"},
		"REST that claims to be somebody": {func() {
			s.overREST(t, nil, http.Header{"Grpc-Metadata-Fleet-Caller-Identity": {movieID}})
		}, "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.call()
			if got := <-seen; got != tc.want {
				t.Errorf("the handler sees %s, want %s", got, tc.want)
			}
		})
	}
}

func TestRESTIsServedByHTTP2AndForPeopleWithTheAuthority(t *testing.T) {
	ca := parts.NewAuthority(t)
	s := serveSecured(t, ca, fine)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(s.rest)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Errorf("GET = %d over %s, want 200 over HTTP/2", resp.StatusCode, resp.Proto)
	}
	plain, err := http.Get("http" + strings.TrimPrefix(s.rest, "https"))
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	_ = plain.Body.Close()
	if plain.StatusCode != http.StatusBadRequest {
		t.Errorf("GET without TLS = %d, want 400", plain.StatusCode)
	}
	for name, most := range map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11} {
		old := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: most}}
		if resp, err := (&http.Client{Transport: old}).Get(s.rest); err == nil || !strings.Contains(err.Error(), "protocol version not supported") {
			t.Errorf("GET by TLS %s = %v, %v, want a refusal of the version", name, resp, err)
		}
	}
}
