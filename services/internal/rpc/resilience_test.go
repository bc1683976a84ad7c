package rpc_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/discovery/discoverytest"
	"movieexample.com/fleet/services/internal/rpc"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

// group is a service of several instances, each a real server, and a caller that finds them in a registry.
type group struct {
	registry *discovery.Memory
	client   ratingv1.RatingServiceClient
	metrics  *prometheus.Registry
	log      *lockedBuffer
}

func startGroup(t *testing.T, timeout time.Duration, options ...rpc.DialOption) *group {
	t.Helper()
	g := &group{registry: discovery.NewMemory(), metrics: prometheus.NewRegistry(), log: &lockedBuffer{}}
	clients := rpc.NewClients(g.metrics, discovery.NewResolver("memory", g.registry, slog.New(slog.DiscardHandler)))
	options = append(options, rpc.WithLog(slog.New(slog.NewTextHandler(g.log, nil))))
	conn, err := clients.Dial("rating", "memory:///rating", timeout, options...)
	if err != nil {
		t.Fatal(err)
	}
	g.client = ratingv1.NewRatingServiceClient(conn)
	t.Cleanup(func() {
		if err := clients.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return g
}

// add starts an instance and registers it.
func (g *group) add(t *testing.T, revision string, get func(context.Context) error) {
	t.Helper()
	server := rpc.NewServer(rpc.ServerOptions{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Revision: revision})
	ratingv1.RegisterRatingServiceServer(server, ratings{get: get})
	listener := listen(t)
	done := make(chan error, 1)
	go func() { done <- server.ServeOn(listener)(context.Background()) }()
	t.Cleanup(func() {
		server.Server.Stop()
		if err := <-done; err != nil {
			t.Errorf("server: %v", err)
		}
	})
	at := listener.Addr().String()
	host, port, err := splitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.registry.Register(t.Context(), "rating", discovery.Instance{ID: at, Host: host, Port: port, Revision: revision}); err != nil {
		t.Fatal(err)
	}
}

func (g *group) call(ctx context.Context) error {
	_, err := g.client.GetAggregatedRating(ctx, &ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: "1"})
	return err
}

// load makes calls by some callers at once and counts how they end.
func (g *group) load(calls, callers int) map[codes.Code]int {
	var left atomic.Int64
	left.Store(int64(calls))
	var mu sync.Mutex
	ends := map[codes.Code]int{}
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			for left.Add(-1) >= 0 {
				code := status.Code(g.call(context.Background()))
				mu.Lock()
				ends[code]++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return ends
}

// attempts are those that callers counted for a revision, by code; all codes for "".
func (g *group) attempts(t *testing.T, revision, code string) float64 {
	t.Helper()
	families, err := g.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != "grpc_client_handled_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["revision"] == revision && (code == "" || labels["code"] == code) {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func failing(code codes.Code) func(context.Context) error {
	return func(context.Context) error { return status.Error(code, "sick") }
}

func late(by time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-ctx.Done():
		case <-time.After(by):
		}
		return nil
	}
}

// within tells whether n is what a fair draw of calls with this share would give, but once in a million.
func within(n, calls, share float64) bool {
	return math.Abs(n-calls*share) <= 4.9*math.Sqrt(calls*share*(1-share))+1
}

// A canary that is all bad has a tenth of the calls: callers hardly notice, the breaker stays out of it, and every bad
// attempt is on the canary's account.
func TestABadCanaryShowsAndHurtsNobody(t *testing.T) {
	g := startGroup(t, 5*time.Second, rpc.WithAttempts(3), rpc.WithBreaker())
	g.add(t, "stable", fine)
	g.add(t, "stable", fine)
	g.add(t, "canary", failing(codes.Unavailable))
	g.add(t, "canary", failing(codes.Unavailable))
	g.registry.SetSubset("rating", "stable")
	g.registry.SetSplit("rating", discovery.Share{Subset: "canary", Percent: 10})
	discoverytest.Eventually(t, "both revisions take calls", func() bool {
		_ = g.call(t.Context())
		return g.attempts(t, "stable", "OK") > 0 && g.attempts(t, "canary", "Unavailable") > 0
	})
	stable, canary := g.attempts(t, "stable", ""), g.attempts(t, "canary", "")

	const calls = 2500
	ends := g.load(calls, 16)
	if failed := calls - ends[codes.OK]; failed > calls/100 {
		t.Errorf("%d of %d calls failed (%v), want at most 1 %%: others answer when they are repeated", failed, calls, ends)
	}
	stable, canary = g.attempts(t, "stable", "")-stable, g.attempts(t, "canary", "")-canary
	if all := stable + canary; !within(canary, all, 0.1) {
		t.Errorf("the canary took %v of %v attempts, want 10 %%", canary, all)
	}
	if good := g.attempts(t, "canary", "OK"); good != 0 {
		t.Errorf("the canary's account has %v good attempts, want none: each attempt counts for who took it", good)
	}
	if got := counter(t, g.metrics, "breaker_rejected_total", map[string]string{"dependency": "rating"}); got != 0 {
		t.Errorf("the breaker rejected %v calls, want none", got)
	}
	if got := g.log.String(); got != "" {
		t.Errorf("log = %s, want none: a canary that is bad as a whole is for its verdict", got)
	}
}

func TestASickInstanceIsLeftOut(t *testing.T) {
	for name, sick := range map[string]func(context.Context) error{
		"answers with errors": failing(codes.Internal),
		"is 2 s late":         late(2 * time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			g := startGroup(t, 600*time.Millisecond, rpc.WithAttempts(3), rpc.WithBreaker())
			g.add(t, "stable", fine)
			g.add(t, "stable", fine)
			g.add(t, "stable", sick)
			g.add(t, "canary", fine)
			g.registry.SetSubset("rating", "stable")
			g.registry.SetSplit("rating", discovery.Share{Subset: "canary", Percent: 20})
			labels := map[string]string{"target": "rating", "revision": "stable"}
			discoverytest.Eventually(t, "the sick instance is left out", func() bool {
				g.load(20, 4)
				return g.attempts(t, "stable", "OK") > 0 && len(g.log.String()) > 0
			})
			stable, canary := g.attempts(t, "stable", ""), g.attempts(t, "canary", "")

			const calls = 2000
			ends := g.load(calls, 16)
			if failed := calls - ends[codes.OK]; failed > calls/100 {
				t.Errorf("%d of %d calls failed (%v), want under 1 %%", failed, calls, ends)
			}
			stable, canary = g.attempts(t, "stable", "")-stable, g.attempts(t, "canary", "")-canary
			if !within(canary, stable+canary, 0.2) {
				t.Errorf("the canary took %v of %v attempts, want its 20 %% whatever is left out elsewhere", canary, stable+canary)
			}
			if got := counter(t, g.metrics, "grpc_client_ejections_total", labels); got < 1 {
				t.Errorf("grpc_client_ejections_total%v = %v, want 1 or more", labels, got)
			}
		})
	}
}

func TestTheLastInstanceIsNotLeftOut(t *testing.T) {
	g := startGroup(t, time.Second)
	g.add(t, "v1", failing(codes.Internal))
	discoverytest.Eventually(t, "it answers", func() bool { return status.Code(g.call(t.Context())) == codes.Internal })
	if ends := g.load(100, 4); ends[codes.Internal] != 100 {
		t.Errorf("calls ended with %v, want all with the answer of the only instance", ends)
	}
}

// BenchmarkDeadTarget is the cost of a call to a service that is known to be dead.
func BenchmarkDeadTarget(b *testing.B) {
	clients := rpc.NewClients(prometheus.NewRegistry(), discovery.NewResolver("static", discovery.Static{}, slog.New(slog.DiscardHandler)))
	defer func() { _ = clients.Close() }()
	conn, err := clients.Dial("rating", "static:///127.0.0.1:1", 300*time.Millisecond, rpc.WithAttempts(3), rpc.WithBreaker())
	if err != nil {
		b.Fatal(err)
	}
	client, request := ratingv1.NewRatingServiceClient(conn), &ratingv1.GetAggregatedRatingRequest{RecordType: "movie", RecordId: "1"}
	for began := time.Now(); time.Since(began) < time.Second; {
		if _, err := client.GetAggregatedRating(b.Context(), request); err == nil {
			b.Fatal("a port that nobody listens on answers")
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = client.GetAggregatedRating(b.Context(), request)
	}
}

func splitHostPort(address string) (host string, port int, err error) {
	_, err = fmt.Sscanf(address, "127.0.0.1:%d", &port)
	return "127.0.0.1", port, err
}
