package rpc_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/discovery/balance"
	"movieexample.com/fleet/services/internal/discovery/discoverytest"
	"movieexample.com/fleet/services/internal/rpc"
)

func TestCallsThatACanaryCannotTakeAreCounted(t *testing.T) {
	registry := discovery.NewMemory()
	stable, canary := discoverytest.StartInstance(t, "a", "v1"), discoverytest.StartInstance(t, "b", "v2")
	canary.Stop() // its connections are refused
	for _, i := range []*discoverytest.Instance{stable, canary} {
		if err := registry.Register(t.Context(), "movies-rating", i.Instance); err != nil {
			t.Fatal(err)
		}
	}
	registry.SetSubset("movies-rating", "v1")
	registry.SetSplit("movies-rating", discovery.Share{Subset: "v2", Percent: 100})

	metrics := prometheus.NewRegistry()
	clients := rpc.NewClients(metrics, discovery.NewResolver("memory", registry, slog.New(slog.DiscardHandler)))
	defer func() { _ = clients.Close() }()
	conn, err := clients.Dial("rating", "memory:///movies-rating", 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	call := func() string {
		ctx, picked := balance.WithPicked(context.Background())
		if _, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{}); err != nil {
			t.Fatalf("call %d = %v, want stable's answer", calls, err)
		}
		calls++
		return picked.Missed()
	}
	discoverytest.Eventually(t, "the canary is known to refuse", func() bool { return call() == "v2" })
	early := calls - 1 // it was still being connected
	for range 20 {
		call()
	}
	if got := counter(t, metrics, "grpc_client_unreachable_total", map[string]string{"target": "rating", "revision": "v2"}); got != float64(calls-early) {
		t.Errorf("grpc_client_unreachable_total of v2 = %v, want %d", got, calls-early)
	}
	if got := counter(t, metrics, "grpc_client_handled_total", map[string]string{"target": "rating", "revision": "v1", "code": "OK"}); got != float64(calls) {
		t.Errorf("grpc_client_handled_total of v1 = %v, want %d: it took the calls", got, calls)
	}
}
