package dns_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/discovery/discoverytest"
	"movieexample.com/fleet/services/internal/discovery/dns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const every = 20 * time.Millisecond

// pod is a real server at an address of its own, all at one port.
type pod struct {
	healthv1.UnimplementedHealthServer

	server *grpc.Server
	calls  atomic.Int64
	wait   sync.WaitGroup
}

func (p *pod) Check(context.Context, *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	p.calls.Add(1)
	return &healthv1.HealthCheckResponse{}, nil
}

func (p *pod) stop() { p.server.GracefulStop(); p.wait.Wait() }

// startPod listens at the address; a port of 0 takes a free one.
func startPod(t *testing.T, ip string, port int) (p *pod, at int) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", fmt.Sprintf("%s:%d", ip, port))
	if err != nil {
		t.Fatal(err)
	}
	p = &pod{server: grpc.NewServer()}
	healthv1.RegisterHealthServer(p.server, p)
	p.wait.Go(func() { _ = p.server.Serve(listener) }) // ends with the pod
	t.Cleanup(p.stop)
	return p, listener.Addr().(*net.TCPAddr).Port // a TCP listener
}

// called waits until the pod gets calls.
func (p *pod) called(t *testing.T, what string) {
	t.Helper()
	before := p.calls.Load()
	discoverytest.Eventually(t, what, func() bool { return p.calls.Load() > before+5 })
}

func TestNoAddressIsUnavailable(t *testing.T) {
	n := serveNames(t)
	first, port := startPod(t, "127.0.0.1", 0)
	service := fmt.Sprintf("rating.movies.svc.:%d", port)
	conn := discoverytest.Dial(t, dns.Watcher{Resolver: n.resolver(), Every: every}, service)
	for name, code := range map[string]dnsmessage.RCode{
		"no such name": dnsmessage.RCodeNameError, "no address": dnsmessage.RCodeSuccess, "a sick server": dnsmessage.RCodeServerFailure,
	} {
		n.set(code)
		discoverytest.Eventually(t, "the server is asked", func() bool { return n.questions() > 2 })
		_, err := discoverytest.Call(t.Context(), conn)
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "no instance of "+service+" registered") {
			t.Errorf("%s: call = %v, want UNAVAILABLE: no instance of %s registered", name, err, service)
		}
	}
	n.set(dnsmessage.RCodeSuccess, "127.0.0.1")
	discoverytest.Eventually(t, "calls reach the first pod", func() bool { _, err := discoverytest.Call(t.Context(), conn); return err == nil })
	if first.calls.Load() == 0 {
		t.Error("the first pod got no call")
	}
}

func TestCallsFollowThePods(t *testing.T) {
	n := serveNames(t)
	a, port := startPod(t, "127.0.0.1", 0)
	n.set(dnsmessage.RCodeSuccess, "127.0.0.1")
	conn := discoverytest.Dial(t, dns.Watcher{Resolver: n.resolver(), Every: every}, fmt.Sprintf("rating.movies.svc.:%d", port))
	load := discoverytest.StartLoad(t, conn)
	a.called(t, "the first pod gets calls")

	b, _ := startPod(t, "127.0.0.2", port)
	n.set(dnsmessage.RCodeSuccess, "127.0.0.1", "127.0.0.2")
	b.called(t, "a pod that is added gets calls, though no connection failed")
	a.called(t, "the first pod still gets calls")

	n.set(dnsmessage.RCodeSuccess, "127.0.0.2")
	discoverytest.Eventually(t, "the change is known", func() bool { return n.questions() > 4 })
	discoverytest.Eventually(t, "calls that were under way have ended", func() bool {
		before := a.calls.Load()
		load.More(t, 20)
		return a.calls.Load() == before
	})
	a.stop()
	before := a.calls.Load()
	load.More(t, 100)
	if got := a.calls.Load() - before; got != 0 {
		t.Errorf("a pod that is gone got %d more calls, want none", got)
	}
	load.WantNoFailure(t)
}

// TestServerOfNamesIsAway is fail-static: who was known stays known.
func TestServerOfNamesIsAway(t *testing.T) {
	for name, code := range map[string]dnsmessage.RCode{
		"fails": dnsmessage.RCodeServerFailure, "knows nothing any more": dnsmessage.RCodeNameError, "knows no address any more": dnsmessage.RCodeSuccess,
	} {
		t.Run(name, func(t *testing.T) {
			n := serveNames(t)
			a, port := startPod(t, "127.0.0.1", 0)
			n.set(dnsmessage.RCodeSuccess, "127.0.0.1")
			conn := discoverytest.Dial(t, dns.Watcher{Resolver: n.resolver(), Every: every}, fmt.Sprintf("rating.movies.svc.:%d", port))
			discoverytest.Eventually(t, "calls reach the pod", func() bool { _, err := discoverytest.Call(t.Context(), conn); return err == nil })
			load := discoverytest.StartLoad(t, conn)
			n.set(code)
			discoverytest.Eventually(t, "the server is asked", func() bool { return n.questions() > 4 })
			load.More(t, 200)
			load.WantNoFailure(t)
			if a.calls.Load() == 0 {
				t.Error("the pod got no call")
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	n := serveNames(t)
	for name, tc := range map[string]struct {
		service string
		known   []string
		want    []string
		trouble string
	}{
		"both families":     {service: "rating.:8082", known: []string{"10.0.0.1", "fd00::1"}, want: []string{"10.0.0.1:8082", "[fd00::1]:8082"}},
		"one address twice": {service: "rating.:8082", known: []string{"10.0.0.1", "10.0.0.1"}, want: []string{"10.0.0.1:8082"}},
		"an address itself": {service: "[::1]:8082", want: []string{"[::1]:8082"}},
		"no port":           {service: "rating", trouble: `"rating" is not host:port`},
		"a port by name":    {service: "rating:grpc", trouble: `"rating:grpc": the port is not a number`},
	} {
		t.Run(name, func(t *testing.T) {
			n.set(dnsmessage.RCodeSuccess, tc.known...)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			dns.Watcher{Resolver: n.resolver()}.Watch(ctx, tc.service, func(s discovery.Snapshot, err error) {
				var got []string
				for _, i := range s.Instances {
					got = append(got, i.Address())
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("addresses (-want +got):\n%s", diff)
				}
				if (err != nil) != (tc.trouble != "") || err != nil && !strings.Contains(err.Error(), tc.trouble) {
					t.Errorf("error = %v, want %q", err, tc.trouble)
				}
				cancel()
			})
		})
	}
}
