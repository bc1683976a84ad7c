package rpc_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/hack/certs/authority"
	"movieexample.com/fleet/services/internal/discovery/discoverytest"
	"movieexample.com/fleet/services/internal/identity"
	"movieexample.com/fleet/services/internal/rpc"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
	"movieexample.com/fleet/test/parts"
)

const (
	ratingID = "spiffe://cluster.local/ns/movies/sa/rating"
	movieID  = "spiffe://cluster.local/ns/movies/sa/movie"
)

// holder is a service's certificate in files that a test may change.
type holder struct {
	*identity.Files
	dir string
}

func hold(t *testing.T, pair authority.Pair, log *slog.Logger, trusted ...parts.Authority) holder {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tls")
	parts.MountBinding(t, dir, parts.TLSKeys(pair, trusted...))
	files, err := identity.Open(dir, spiffeid.RequireTrustDomainFromString("cluster.local"), log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { _ = files.Run(ctx) })
	t.Cleanup(func() { cancel(); wait.Wait() })
	return holder{files, dir}
}

// secured is a rating service with mutual TLS.
type secured struct {
	holder
	api, rest string
	log       *lockedBuffer
	metrics   *prometheus.Registry
	server    *rpc.Server
}

// serveSecured starts one that answers the clients only (none: all).
func serveSecured(t *testing.T, ca parts.Authority, get func(context.Context) error, clients ...spiffeid.ID) secured {
	t.Helper()
	s := secured{log: &lockedBuffer{}, metrics: prometheus.NewRegistry()}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	s.holder = hold(t, ca.Leaf(t, ratingID), log, ca)
	s.metrics.MustRegister(s.Files)
	s.server = rpc.NewServer(rpc.ServerOptions{
		Log: log, Metrics: s.metrics, Clients: clients, Credentials: s.ServerCredentials(identity.Required, s.metrics),
	})
	ratingv1.RegisterRatingServiceServer(s.server, ratings{get: get})
	s.server.Prepare()
	rest, err := rpc.NewREST(t.Context(), s.server, "", ratingv1.RegisterRatingServiceHandler)
	if err != nil {
		t.Fatal(err)
	}
	api, web := listen(t), listen(t)
	s.api, s.rest = api.Addr().String(), "https://"+web.Addr().String()+"/v1/ratings/movie/1"
	var wait sync.WaitGroup
	for _, run := range []func(context.Context) error{
		s.server.ServeOn(api), s.server.ServeInside, rest.ServeOn(tls.NewListener(web, s.Server(identity.Optional))),
	} {
		wait.Go(func() {
			if err := run(context.Background()); err != nil {
				t.Errorf("server: %v", err)
			}
		})
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(rest.Stop(ctx), s.server.Stop(ctx)); err != nil {
			t.Errorf("stop: %v", err)
		}
		wait.Wait()
	})
	return s
}

// caller makes calls over a connection of its own, by the fleet's client or, with credentials, by gRPC's.
func caller(t *testing.T, address string, plain credentials.TransportCredentials, files *identity.Files, want string) *grpc.ClientConn {
	t.Helper()
	if files != nil {
		plain = files.ClientCredentials(spiffeid.RequireFromString(want))
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(plain))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func getRating(ctx context.Context, conn grpc.ClientConnInterface) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := ratingv1.NewRatingServiceClient(conn).GetAggregatedRating(ctx, &ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: "1"})
	return err
}

// wantRefused wants calls refused, and one of them told why. What the server says last is lost to a caller who is still writing
// its first words when the connection is closed; the next connection tells.
func wantRefused(t *testing.T, told string, call func() error) {
	t.Helper()
	discoverytest.Eventually(t, "a caller that is refused is told "+told, func() bool {
		err := call()
		if status.Code(err) != codes.Unavailable {
			t.Fatalf("call = %v, want UNAVAILABLE with %q", err, told)
		}
		return strings.Contains(err.Error(), told)
	})
}

func expired(r *authority.Request) {
	r.NotAfter = time.Now().Add(-time.Minute)
	r.NotBefore = r.NotAfter.Add(-time.Hour)
}

// client is a TLS client's credentials without the checks that the fleet's own client makes.
func client(t *testing.T, pair *authority.Pair, change func(*tls.Config)) credentials.TransportCredentials {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true}
	if pair != nil {
		chain, err := tls.X509KeyPair(pair.Certificate, pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &chain, nil }
	}
	if change != nil {
		change(config)
	}
	return credentials.NewTLS(config)
}

// overREST makes a request; a configuration of nil has no certificate and trusts anybody.
func (s secured) overREST(t *testing.T, config *tls.Config, header http.Header) (int, string) {
	t.Helper()
	if config == nil {
		config = &tls.Config{InsecureSkipVerify: true}
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.rest, nil)
	if err != nil {
		t.Fatal(err)
	}
	for key, values := range header {
		r.Header[key] = values
	}
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func ref[T any](v T) *T { return &v }

// current is the serial number of the certificate that REST shows.
func (s secured) current(t *testing.T) string {
	t.Helper()
	address := strings.TrimSuffix(strings.TrimPrefix(s.rest, "https://"), "/v1/ratings/movie/1")
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}
