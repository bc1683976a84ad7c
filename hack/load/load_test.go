package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/client"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// movies is revision v1 for the first calls and v2 afterwards; it knows movie 1 only.
type movies struct {
	moviev1.UnimplementedMovieServiceServer

	calls     atomic.Int64
	authority atomic.Value
}

func (m *movies) GetMovieDetails(ctx context.Context, r *moviev1.GetMovieDetailsRequest) (*moviev1.GetMovieDetailsResponse, error) {
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		m.authority.Store(md.Get(":authority")[0])
	}
	revision := "v1"
	if m.calls.Add(1) > 10 {
		revision = "v2"
	}
	if err := grpc.SetHeader(ctx, metadata.Pairs(client.RevisionHeader, revision)); err != nil {
		return nil, err
	}
	if r.GetMovieId() != "1" {
		return nil, status.Error(codes.NotFound, "no such movie")
	}
	return &moviev1.GetMovieDetailsResponse{}, nil
}

func serve(t *testing.T) string {
	t.Helper()
	return serveMovies(t, &movies{})
}

func serveMovies(t *testing.T, m *movies, opts ...grpc.ServerOption) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, done := grpc.NewServer(opts...), make(chan struct{})
	moviev1.RegisterMovieServiceServer(server, m)
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); <-done })
	return listener.Addr().String()
}

func TestReport(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := run([]string{
		"--target", "static:///" + serve(t), "--movies", "1,2", "--rate", "100", "--duration", "200ms", "--json", "-", "--max-failed", "9",
	}, &stdout, &stderr)
	if code != exitFailed || !strings.Contains(stderr.String(), "10 calls failed, at most 9 may") {
		t.Errorf("exit = %d, %q, want 1 and that 10 calls failed", code, stderr.String())
	}
	var got report
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatalf("--json - wrote %q: %v", stdout.String(), err)
	}
	if got.Sent != 20 || got.OK != 10 || got.Failed != 10 || got.NotSent != 0 {
		t.Errorf("sent %d, ok %d, failed %d, not sent %d; want 20, 10, 10, 0", got.Sent, got.OK, got.Failed, got.NotSent)
	}
	if len(got.Revisions) != 2 || got.Revisions[0].Revision != "v1" || got.Revisions[1].Revision != "v2" {
		t.Fatalf("revisions = %+v, want v1 and then v2", got.Revisions)
	}
	for _, v := range got.Revisions {
		if diff := cmp.Diff(map[string]int{"OK": 5, "NotFound": 5}, v.Codes); diff != "" {
			t.Errorf("codes of %s (-want +got):\n%s", v.Revision, diff)
		}
	}
	if f := got.Failures; len(f) != 10 || f[0].Code != "NotFound" || f[0].Message != "no such movie" {
		t.Errorf("failures = %+v, want ten with code and message", f)
	}
}

func TestTable(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{"--target", "static:///" + serve(t), "--movies", "1", "--rate", "100", "--duration", "100ms"}, &stdout, &stderr); code != exitOK {
		t.Errorf("exit = %d, %s, want 0", code, stderr.String())
	}
	for _, want := range []string{"REVISION  CODE  CALLS", "v1        OK    10", "0 of 10 calls failed (0 were not sent), 100 a second were due"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("table =\n%s\nwant it to contain %q", stdout.String(), want)
		}
	}
}

func TestREST(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(client.RevisionHeader, "abc")
		if r.Host != "movies.test" {
			w.WriteHeader(http.StatusMisdirectedRequest)
		}
		if r.URL.Path != "/v1/movies/a%2Fb" && r.URL.EscapedPath() != "/v1/movies/a%2Fb" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	var stdout, stderr bytes.Buffer
	code := run([]string{"--rest", server.URL, "--host", "movies.test", "--movies", "a/b", "--rate", "100", "--duration", "100ms", "--max-failed", "0"}, &stdout, &stderr)
	if code != exitOK || !strings.Contains(stdout.String(), "abc       200   10") {
		t.Errorf("exit = %d, %s\n%s\nwant 0 and ten answers 200 of abc", code, stderr.String(), stdout.String())
	}
}

func TestHostOfGRPC(t *testing.T) {
	server := &movies{}
	address := serveMovies(t, server)
	for host, want := range map[string]string{"": address, "movies.test": "movies.test"} {
		var stdout, stderr bytes.Buffer
		run([]string{"--target", "static:///" + address, "--host", host, "--movies", "1", "--rate", "100", "--duration", "50ms"}, &stdout, &stderr)
		if got := server.authority.Load(); got != want {
			t.Errorf("load --host %q asked for %v, want %q", host, got, want)
		}
	}
}

// TestMetricsOfTheCaller reads the counters while the load lasts, and finds nobody there afterwards.
func TestMetricsOfTheCaller(t *testing.T) {
	o, err := parse([]string{
		"--target", "static:///" + serve(t), "--movies", "1", "--rate", "200", "--duration", "1m", "--metrics", "127.0.0.1:0", "--quiet",
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	said, stderr := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := execute(ctx, o, stderr)
		done <- err
	}()
	var url string
	if _, err := fmt.Fscanf(said, "load: metrics at %s\n", &url); err != nil {
		t.Fatalf("the address of the metrics: %v", err)
	}
	want := `grpc_client_handled_total{code="OK",revision="v2",target="movie"} `
	for page := ""; !strings.Contains(page, want); page = get(ctx, t, url) {
		if ctx.Err() != nil {
			t.Fatalf("/metrics =\n%s\nwant %s", page, want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("load = %v", err)
	}
	if page := get(t.Context(), t, url); page != "" {
		t.Errorf("after the load %s answers\n%s\nwant nobody there", url, page)
	}
}

// get is the page, or nothing if nobody answers.
func get(ctx context.Context, t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil && ctx.Err() == nil {
		t.Error(err)
	}
	return string(body)
}

func TestNothingAnswers(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := run([]string{"--target", "static:///127.0.0.1:1", "--movies", "1", "--rate", "50", "--duration", "100ms", "--max-failed", "0"}, &stdout, &stderr)
	if code != exitFailed || !strings.Contains(stdout.String(), "Unavailable") || !strings.Contains(stdout.String(), "connection refused") {
		t.Errorf("exit = %d\n%s\nwant 1, Unavailable and why", code, stdout.String())
	}
}

func TestMistakes(t *testing.T) {
	for name, tc := range map[string]struct{ args, want string }{
		"no target":         {"--movies 1", "give either --target or --rest"},
		"two targets":       {"--movies 1 --target static:///a:1 --rest http://a", "give either --target or --rest"},
		"target":            {"--movies 1 --target localhost:1", `target "localhost:1" is not of the form`},
		"rest":              {"--movies 1 --rest localhost", "is not of the form http://host:port"},
		"consul":            {"--movies 1 --target consul:///a --consul localhost", "is not of the form http://host:port"},
		"no movies":         {"--target static:///a:1", "--movies 1,2,3"},
		"rate":              {"--movies 1 --target static:///a:1 --rate 5001", "--rate 5001 is not from 1 to 5000"},
		"duration":          {"--movies 1 --target static:///a:1 --duration 3h", "--duration 3h0m0s is not above 0 and at most 2h0m0s"},
		"too many calls":    {"--movies 1 --target static:///a:1 --rate 5000 --duration 1h", "18000000 calls, at most 5000000"},
		"timeout":           {"--movies 1 --target static:///a:1 --timeout 0s", "--timeout 0s"},
		"slow":              {"--movies 1 --target static:///a:1 --slow -1s", "--slow -1s is below 0"},
		"metrics of REST":   {"--movies 1 --rest http://a:1 --metrics :0", "only gRPC calls are counted"},
		"metrics address":   {"--movies 1 --target static:///a:1 --metrics nowhere", "--metrics nowhere: "},
		"method":            {"--movies 1 --target static:///a:1 --method put", "is not one of details, metadata, rating"},
		"argument":          {"--movies 1 --target static:///a:1 more", `unexpected argument "more"`},
		"unknown flag":      {"--tarjet x", "unknown flag: --tarjet"},
		"all in one report": {"--rate 0", "--movies 1,2,3"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(strings.Fields(tc.args), &stdout, &stderr)
			if code != exitMistake || !strings.Contains(stderr.String(), tc.want) {
				t.Errorf("load %s: exit %d, %q, want 2 with %q", tc.args, code, stderr.String(), tc.want)
			}
		})
	}
}

func TestLateAnswersDoNotSlowTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options{rate: 100, duration: time.Second, movies: []string{"1"}, quiet: true}
		began := time.Now()
		var last atomic.Int64
		r := drive(t.Context(), o, func(context.Context, string) outcome {
			last.Store(int64(time.Since(began)))
			time.Sleep(10 * time.Second)
			return outcome{code: "OK", ok: true}
		}, nil)
		if got := time.Duration(last.Load()); got != 990*time.Millisecond {
			t.Errorf("the last call began after %s, want 990ms however late answers are", got)
		}
		if r.Sent != 100 || r.Latency.P50 != 10_000 || r.Seconds != 10.99 {
			t.Errorf("sent %d, p50 %v ms, %v s; want 100, 10000, 10.99", r.Sent, r.Latency.P50, r.Seconds)
		}
	})
}

func TestNoMoreCallsThanMemoryHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options{rate: 5000, duration: 3 * time.Second, movies: []string{"1"}, quiet: true}
		r := drive(t.Context(), o, func(context.Context, string) outcome {
			time.Sleep(time.Minute)
			return outcome{code: "OK", ok: true}
		}, nil)
		if got := r.FailedBySecond; len(got) != 1 || got[0] != (failedSecond{Second: 2, Code: "not sent", Calls: 5000}) {
			t.Errorf("failures by second = %+v, want all 5000 in the third", got)
		}
		if r.Sent != maxInFlight || r.NotSent != 5000 || r.Failed != 5000 {
			t.Errorf("sent %d, not sent %d, failed %d; want %d, 5000, 5000", r.Sent, r.NotSent, r.Failed, maxInFlight)
		}
	})
}

func TestAnInterruptReportsWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 505*time.Millisecond)
		defer cancel()
		o := options{rate: 100, duration: time.Minute, movies: []string{"1"}, quiet: true}
		r := drive(ctx, o, func(ctx context.Context, _ string) outcome {
			time.Sleep(time.Second)
			return outcome{code: "OK", ok: ctx.Err() == nil}
		}, nil)
		if r.Sent != 51 || r.Failed != 0 {
			t.Errorf("sent %d, failed %d, want 51 and 0", r.Sent, r.Failed)
		}
	})
}
