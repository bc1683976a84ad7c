package discoverytest

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/discovery/balance"
	"movieexample.com/fleet/services/internal/rpc"
)

// Instance is a real gRPC server; its health service stands for any service.
type Instance struct {
	discovery.Instance

	Health *health.Server
	server *grpc.Server
	done   chan struct{}
}

// StartInstance serves on a free loopback port until Stop or the end of the test.
func StartInstance(tb testing.TB, id, revision string) *Instance {
	tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	i := &Instance{Health: health.NewServer(), server: grpc.NewServer(), done: make(chan struct{})}
	i.ID, i.Host, i.Revision = id, "127.0.0.1", revision
	i.Port = listener.Addr().(*net.TCPAddr).Port // a TCP listener
	healthv1.RegisterHealthServer(i.server, i.Health)
	go func() {
		defer close(i.done)
		_ = i.server.Serve(listener) // ends with Stop
	}()
	tb.Cleanup(func() { i.server.Stop(); <-i.done })
	return i
}

// Stop lets calls in flight finish.
func (i *Instance) Stop() { i.server.GracefulStop() }

// Dial is a connection to service as movie would make it; it is closed when the test ends.
func Dial(tb testing.TB, watcher discovery.Watcher, service string) grpc.ClientConnInterface {
	tb.Helper()
	clients := rpc.NewClients(prometheus.NewRegistry(), discovery.NewResolver("test", watcher, slog.New(slog.DiscardHandler)))
	tb.Cleanup(func() {
		if err := clients.Close(); err != nil {
			tb.Errorf("Close() = %v", err)
		}
	})
	conn, err := clients.Dial(service, "test:///"+service, 5*time.Second)
	if err != nil {
		tb.Fatal(err)
	}
	return conn
}

// Call makes one call and tells which revision it went to.
func Call(ctx context.Context, conn grpc.ClientConnInterface) (revision string, err error) {
	ctx, picked := balance.WithPicked(ctx)
	_, err = healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	return picked.Revision(), err
}

// Load calls without a pause until it is stopped.
type Load struct {
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu       sync.Mutex
	calls    int
	failures []error
	took     map[string]int       // calls by revision
	last     map[string]time.Time // when a revision answered last
	lastOf   map[string]int       // and as which of the calls
}

// StartLoad calls from a few callers at once; it ends with the test at the latest.
func StartLoad(tb testing.TB, conn grpc.ClientConnInterface) *Load {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &Load{cancel: cancel, took: map[string]int{}, last: map[string]time.Time{}, lastOf: map[string]int{}}
	for range 4 {
		l.wait.Go(func() {
			for ctx.Err() == nil {
				l.once(conn)
			}
		})
	}
	tb.Cleanup(l.Stop)
	return l
}

func (l *Load) once(conn grpc.ClientConnInterface) {
	revision, err := Call(context.Background(), conn)
	time.Sleep(2 * time.Millisecond) // some hundred calls a second are enough
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	l.took[revision]++
	l.last[revision], l.lastOf[revision] = time.Now(), l.calls
	if err != nil {
		l.failures = append(l.failures, err)
	}
}

// Stop ends the load and waits for the last call.
func (l *Load) Stop() {
	l.cancel()
	l.wait.Wait()
}

// More waits until so many further calls have ended: what must not happen had that many chances.
func (l *Load) More(tb testing.TB, calls int) {
	tb.Helper()
	until := l.count() + calls
	Eventually(tb, "the load goes on", func() bool { return l.count() >= until })
}

func (l *Load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

// Last is when the revision answered last.
func (l *Load) Last(revision string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last[revision]
}

// Silent tells whether the revision has had no call for a while, and none of many: time alone proves nothing on a machine
// that lets nobody call.
func (l *Load) Silent(revision string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.last[revision]) > 200*time.Millisecond && l.calls-l.lastOf[revision] > 50
}

// Share is the revision's part, in percent, of so many further calls.
func (l *Load) Share(tb testing.TB, revision string, calls int) float64 {
	tb.Helper()
	all, took := l.tally(revision)
	l.More(tb, calls)
	allNow, tookNow := l.tally(revision)
	return 100 * float64(tookNow-took) / float64(allNow-all)
}

func (l *Load) tally(revision string) (all, took int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls, l.took[revision]
}

// WantNoFailure stops the load and fails the test if any call failed, or if there was none.
func (l *Load) WantNoFailure(tb testing.TB) {
	tb.Helper()
	l.Stop()
	if l.calls == 0 || len(l.failures) > 0 {
		tb.Errorf("%d of %d calls failed, want none; the first: %v", len(l.failures), l.calls, append(l.failures, nil)[0])
	}
}

// Eventually asks until it is true, for at most half a minute.
func Eventually(tb testing.TB, what string, ask func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ask() {
			return
		}
	}
	tb.Fatalf("after 30 s: not true that %s", what)
}
