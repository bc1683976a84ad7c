package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/limits"
	"movieexample.com/fleet/services/internal/rpc"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ratings answers as its fields say.
type ratings struct {
	ratingv1.UnimplementedRatingServiceServer

	get func(context.Context) error
}

func (r ratings) GetAggregatedRating(ctx context.Context, _ *ratingv1.GetAggregatedRatingRequest) (*ratingv1.GetAggregatedRatingResponse, error) {
	if err := r.get(ctx); err != nil {
		return nil, err
	}
	return &ratingv1.GetAggregatedRatingResponse{RatingValue: 4.5, Count: 2}, nil
}

func (ratings) PutRating(context.Context, *ratingv1.PutRatingRequest) (*ratingv1.PutRatingResponse, error) {
	return &ratingv1.PutRatingResponse{}, nil
}

func (ratings) DeleteRating(context.Context, *ratingv1.DeleteRatingRequest) (*ratingv1.DeleteRatingResponse, error) {
	return &ratingv1.DeleteRatingResponse{}, nil
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// callTime is the fixture's limit of a call: no busy machine reaches it.
const callTime = 10 * time.Second

// fixture is a service with both servers, and a client of it.
type fixture struct {
	client  ratingv1.RatingServiceClient
	api     string
	rest    string
	server  *rpc.Server
	log     *lockedBuffer
	metrics *prometheus.Registry // of the server
	calls   *prometheus.Registry // of the client
}

func start(t *testing.T, get func(context.Context) error) fixture {
	t.Helper()
	return startLimited(t, limits.Options{}, get)
}

func startLimited(t *testing.T, o limits.Options, get func(context.Context) error) fixture {
	t.Helper()
	f := fixture{log: &lockedBuffer{}, metrics: prometheus.NewRegistry(), calls: prometheus.NewRegistry()}
	bounds, err := limits.New(o, f.metrics)
	if err != nil {
		t.Fatal(err)
	}
	f.server = rpc.NewServer(rpc.ServerOptions{
		Limits: bounds,
		Log:    slog.New(slog.NewTextHandler(f.log, nil)), Metrics: f.metrics, Revision: "abc", Reflection: true,
	})
	ratingv1.RegisterRatingServiceServer(f.server, ratings{get: get})
	f.server.Prepare()
	rest, err := rpc.NewREST(t.Context(), f.server, "abc", ratingv1.RegisterRatingServiceHandler)
	if err != nil {
		t.Fatal(err)
	}
	api, web := listen(t), listen(t)
	f.api = api.Addr().String()
	f.rest = "http://" + web.Addr().String()
	var wait sync.WaitGroup
	for _, run := range []func(context.Context) error{f.server.ServeOn(api), f.server.ServeInside, rest.ServeOn(web)} {
		wait.Go(func() {
			if err := run(context.Background()); err != nil {
				t.Errorf("server: %v", err)
			}
		})
	}
	clients := rpc.NewClients(f.calls, discovery.NewResolver("static", discovery.Static{}, slog.New(slog.DiscardHandler)))
	conn, err := clients.Dial("rating", "static:///"+api.Addr().String(), callTime)
	if err != nil {
		t.Fatal(err)
	}
	f.client = ratingv1.NewRatingServiceClient(conn)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(clients.Close(), rest.Stop(ctx), f.server.Stop(ctx)); err != nil {
			t.Errorf("stop: %v", err)
		}
		wait.Wait()
	})
	return f
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (f fixture) get(ctx context.Context, opts ...grpc.CallOption) error {
	_, err := f.client.GetAggregatedRating(ctx, &ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: "1"}, opts...)
	return err
}

func fine(context.Context) error { return nil }

func TestErrorsOfHandlers(t *testing.T) {
	for name, tc := range map[string]struct {
		get     func(context.Context) error
		code    codes.Code
		message string
		logged  string // a part of the one log line; empty means none
	}{
		"none":          {fine, codes.OK, "", ""},
		"a status":      {func(context.Context) error { return status.Error(codes.NotFound, "no ratings") }, codes.NotFound, "no ratings", ""},
		"a plain error": {func(context.Context) error { return errors.New("dial tcp 10.0.0.1: secret") }, codes.Internal, "internal error; the service's log has the cause", "10.0.0.1: secret"},
		"a panic":       {func(context.Context) error { panic("index out of range") }, codes.Internal, "internal error; the service's log has the cause", "panic: index out of range"},
		"a wrapped status": {func(context.Context) error {
			return errors.Join(errors.New("secret"), status.Error(codes.NotFound, "x"))
		}, codes.Internal, "internal error; the service's log has the cause", "secret"},
		"a context's end":     {func(context.Context) error { return errors.Join(errors.New("secret"), context.DeadlineExceeded) }, codes.DeadlineExceeded, "context deadline exceeded", ""},
		"an INTERNAL of ours": {func(context.Context) error { return status.Error(codes.Internal, "broken") }, codes.Internal, "broken", "broken"},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, tc.get)
			err := f.get(t.Context())
			if got := status.Convert(err); got.Code() != tc.code || got.Message() != tc.message {
				t.Errorf("call = %s %q, want %s %q", got.Code(), got.Message(), tc.code, tc.message)
			}
			lines := strings.Count(f.log.String(), "\n")
			if tc.logged == "" && lines > 0 || tc.logged != "" && (lines != 1 || !strings.Contains(f.log.String(), tc.logged)) {
				t.Errorf("log = %q, want one line with %q (none if that is empty)", f.log.String(), tc.logged)
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	f := start(t, func(context.Context) error { panic("boom") })
	_ = f.get(t.Context())
	want := `
# HELP grpc_server_panics_total Calls that ended in a panic of the handler.
# TYPE grpc_server_panics_total counter
grpc_server_panics_total 1
`
	if err := testutil.GatherAndCompare(f.metrics, strings.NewReader(want), "grpc_server_panics_total"); err != nil {
		t.Error(err)
	}
	for name, labels := range map[string]map[string]string{
		"grpc_server_started_total": {"grpc_method": "GetAggregatedRating"},
		"grpc_server_handled_total": {"grpc_method": "GetAggregatedRating", "grpc_code": "Internal"},
	} {
		if got := counter(t, f.metrics, name, labels); got != 1 {
			t.Errorf("%s%v = %v, want 1", name, labels, got)
		}
	}
	if got := counter(t, f.metrics, "grpc_server_handled_total", map[string]string{"grpc_method": "PutRating", "grpc_code": "OK"}); got != 0 {
		t.Errorf("grpc_server_handled_total of a method nobody called = %v, want 0 and there", got)
	}
	labels := map[string]string{"target": "rating", "revision": "abc", "code": "Internal"}
	if got := counter(t, f.calls, "grpc_client_handled_total", labels); got != 1 {
		t.Errorf("grpc_client_handled_total%v = %v, want 1", labels, got)
	}
}

// counter is the value of the one series with these labels; a series that is not there fails the test.
func counter(t *testing.T, g prometheus.Gatherer, name string, labels map[string]string) float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			found := 0
			for _, l := range m.GetLabel() {
				if labels[l.GetName()] == l.GetValue() {
					found++
				}
			}
			if found == len(labels) {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Errorf("series %s%v is missing", name, labels)
	return -1
}

func TestDeadlines(t *testing.T) {
	for name, tc := range map[string]struct {
		caller time.Duration // 0: the caller has no deadline
		most   time.Duration // that the handler may have
	}{
		"the default holds":           {0, callTime},
		"a shorter one is kept":       {callTime / 2, callTime / 2},
		"a longer one is not granted": {time.Hour, callTime},
	} {
		t.Run(name, func(t *testing.T) {
			left := make(chan time.Duration, 1)
			f := start(t, func(ctx context.Context) error {
				deadline, ok := ctx.Deadline()
				if !ok {
					deadline = time.Now().Add(time.Hour)
				}
				left <- time.Until(deadline)
				return nil
			})
			ctx := t.Context()
			if tc.caller > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tc.caller)
				defer cancel()
			}
			if err := f.get(ctx); err != nil {
				t.Fatal(err)
			}
			if got := <-left; got > tc.most {
				t.Errorf("the handler had %s left, want at most %s", got, tc.most)
			}
		})
	}
}

func TestRevisionHeader(t *testing.T) {
	f := start(t, func(context.Context) error { return status.Error(codes.NotFound, "none") })
	var header metadata.MD
	_ = f.get(t.Context(), grpc.Header(&header))
	if got := header.Get(rpc.RevisionHeader); len(got) != 1 || got[0] != "abc" {
		t.Errorf("header %s of gRPC = %q, want abc, of failures too", rpc.RevisionHeader, got)
	}
}

func TestREST(t *testing.T) {
	f := start(t, func(context.Context) error { return status.Error(codes.NotFound, "no ratings") })
	const path = "/v1/ratings/movie/1"
	for name, tc := range map[string]struct {
		method, path, body string
		code               int
		want               string // a part of the body
	}{
		"PUT":              {http.MethodPut, path, `{"userId":"u","value":5}`, 200, `"outcome"`},
		"DELETE":           {http.MethodDelete, path + "?userId=u", "", 204, ""},
		"an error":         {http.MethodGet, path, "", 404, `"no ratings"`},
		"wrong method":     {http.MethodPost, path, "{}", 405, `"method POST is not allowed here"`},
		"wrong path":       {http.MethodGet, "/v2/ratings", "", 404, `"code":5`},
		"not JSON":         {http.MethodPut, path, `{`, 400, `"code":3`},
		"an unknown field": {http.MethodPut, path, `{"valeu":5}`, 400, `unknown field`},
		"a body too large": {http.MethodPut, path, strings.Repeat(" ", 1<<20+1), 413, `at most 1048576 bytes are allowed`},
		"the largest body": {http.MethodPut, path, `{"userId":"u","value":5}` + strings.Repeat(" ", 1<<20-24), 200, `"outcome"`},
		"broken rules":     {http.MethodPut, path, `{"value":6}`, 400, `"description":"is 6, want 1 to 5"`},
		"form override":    {http.MethodPost, path, "a=b", 405, "not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			code, header, body := request(t, tc.method, f.rest+tc.path, strings.NewReader(tc.body))
			if code != tc.code || !strings.Contains(body, tc.want) || (tc.want == "" && body != "") {
				t.Errorf("%s %s = %d %q, want %d with %q", tc.method, tc.path, code, body, tc.code, tc.want)
			}
			if got := header.Get(rpc.RevisionHeader); got != "abc" {
				t.Errorf("header %s = %q, want abc", rpc.RevisionHeader, got)
			}
		})
	}
}

func TestRESTBodyThatHidesItsLength(t *testing.T) {
	f := start(t, fine)
	endless := io.MultiReader(strings.NewReader(`{"value":5`), strings.NewReader(strings.Repeat(" ", 2<<20)), strings.NewReader(`}`))
	code, _, body := request(t, http.MethodPut, f.rest+"/v1/ratings/movie/1", io.NopCloser(endless))
	if code != 413 || !strings.Contains(body, "at most 1048576 bytes are allowed") {
		t.Errorf("PUT of 2 MiB in chunks = %d %q, want 413 and what is allowed", code, body)
	}
}

func request(t *testing.T, method, url string, body io.Reader) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-HTTP-Method-Override", http.MethodGet)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 0 && !json.Valid(text) {
		t.Errorf("%s %s: body %q is not JSON", method, url, text)
	}
	return resp.StatusCode, resp.Header, string(text)
}
