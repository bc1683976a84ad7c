package rpc_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/lifecycle"
	"movieexample.com/fleet/services/internal/rpc"
	"movieexample.com/fleet/services/internal/telemetry"
)

func TestStopLetsCallsFinish(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	f := start(t, func(context.Context) error { close(entered); <-leave; return nil })
	result := make(chan error, 1)
	go func() { result <- f.get(context.Background()) }()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- f.server.Stop(context.Background()) }()
	close(leave)
	if err := <-result; err != nil {
		t.Errorf("the call in flight = %v, want no error", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Stop() = %v, want no error", err)
	}
}

func TestStopCutsWhatOutlastsTheDeadline(t *testing.T) {
	entered := make(chan struct{})
	f := start(t, func(ctx context.Context) error { close(entered); <-ctx.Done(); return ctx.Err() })
	result := make(chan error, 1)
	go func() { result <- f.get(context.Background()) }()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := f.server.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop() = %v, want %v", err, context.DeadlineExceeded)
	}
	if err := <-result; status.Code(err) != codes.Unavailable {
		t.Errorf("the call that was cut = %v, want UNAVAILABLE", err)
	}
}

func TestAdmin(t *testing.T) {
	var mu sync.Mutex
	state := lifecycle.State{Checks: []lifecycle.Result{{Name: "database", Problem: "it is away"}, {Name: "schema"}}}
	admin := rpc.NewAdmin(telemetry.NewRegistry("rating", "v1", "abc"),
		rpc.Identity{Service: "rating", Version: "v1", Revision: "abc"},
		func() lifecycle.State { mu.Lock(); defer mu.Unlock(); return state })
	listener := listen(t)
	done := make(chan error, 1)
	go func() { done <- admin.ServeOn(listener)(context.Background()) }()
	base := "http://" + listener.Addr().String()

	code, _, body := request(t, http.MethodGet, base+"/readyz", nil)
	want := `{"status":"not ready","service":"rating","version":"v1","revision":"abc","checks":{"database":"it is away","schema":"ok"}}`
	if code != 503 || strings.TrimSpace(body) != want {
		t.Errorf("GET /readyz = %d %s, want 503 %s", code, body, want)
	}
	mu.Lock()
	state = lifecycle.State{Ready: true}
	mu.Unlock()
	if code, _, body := request(t, http.MethodGet, base+"/readyz", nil); code != 200 || !strings.Contains(body, `"status":"ready"`) {
		t.Errorf("GET /readyz = %d %s, want 200 and ready", code, body)
	}
	if code, _, _ := request(t, http.MethodGet, base+"/healthz", nil); code != 200 {
		t.Errorf("GET /healthz = %d, want 200", code)
	}
	resp, err := http.Get(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET /metrics = %d, want 200", resp.StatusCode)
	}
	if err := admin.Stop(t.Context()); err != nil {
		t.Errorf("Stop() = %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("ServeOn() = %v, want nil after Stop", err)
	}
}
