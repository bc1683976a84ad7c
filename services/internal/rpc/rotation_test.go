package rpc_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/discovery/discoverytest"
	"movieexample.com/fleet/services/internal/rpc"
	"movieexample.com/fleet/test/parts"
)

// load makes calls until it is stopped: some over a connection that lasts, some over a new one each.
type load struct {
	calls, failures atomic.Int64
	first           atomic.Pointer[string] // failure
	stop            func()
}

func startLoad(t *testing.T, from holder, target string) *load {
	t.Helper()
	l := &load{}
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		clients, call := dialed(t, from, target)
		defer func() { _ = clients.Close() }()
		for ctx.Err() == nil {
			l.count(call())
			time.Sleep(time.Millisecond)
		}
	})
	wait.Go(func() { // one at a time: a machine that is busy must not fail handshakes by their time limit
		for ctx.Err() == nil {
			clients, call := dialed(t, from, target)
			l.count(call())
			_ = clients.Close()
			time.Sleep(5 * time.Millisecond)
		}
	})
	l.stop = sync.OnceFunc(func() { cancel(); wait.Wait() })
	t.Cleanup(l.stop)
	return l
}

func dialed(t *testing.T, from holder, target string) (*rpc.Clients, func() error) {
	clients := rpc.NewClients(prometheus.NewRegistry(), discovery.NewResolver("static", discovery.Static{}, slog.New(slog.DiscardHandler)))
	id := spiffeid.RequireFromString(ratingID)
	conn, err := clients.Dial("rating", target, 5*time.Second, rpc.WithServer(id, from.ClientCredentials(id)))
	if err != nil {
		t.Error(err)
	}
	return clients, func() error { return getRating(context.Background(), conn) }
}

func (l *load) count(err error) {
	l.calls.Add(1)
	if err != nil {
		l.failures.Add(1)
		text := err.Error()
		l.first.CompareAndSwap(nil, &text)
	}
}

// more waits for so many more calls: each step of a rotation is to meet some.
func (l *load) more(t *testing.T, calls int64) {
	t.Helper()
	before := l.calls.Load()
	discoverytest.Eventually(t, "the load goes on", func() bool { return l.calls.Load() >= before+calls })
}

// check stops the load and wants no failure.
func (l *load) check(t *testing.T) {
	t.Helper()
	l.stop()
	if failures := l.failures.Load(); failures > 0 {
		t.Errorf("%d of %d calls failed, want none; the first: %s", failures, l.calls.Load(), *l.first.Load())
	}
}

// TestAuthorityRotationUnderLoad goes the way of an authority's change: the new one into all bundles; every process
// reports it; certificates of the new one; the old one out.
func TestAuthorityRotationUnderLoad(t *testing.T) {
	before, after := parts.NewAuthority(t), parts.NewAuthority(t)
	var servers []secured
	var addresses []string
	for range 3 {
		s := serveSecured(t, before, fine)
		servers, addresses = append(servers, s), append(addresses, s.api)
	}
	oldLeaf := before.Leaf(t, movieID)
	caller := hold(t, oldLeaf, slog.New(slog.DiscardHandler), before)
	all := []holder{caller}
	for _, s := range servers {
		all = append(all, s.holder)
	}
	calls := startLoad(t, caller, "static:///"+strings.Join(addresses, ","))

	first := before.Leaf(t, ratingID)
	for i, h := range all {
		pair := first
		if i == 0 {
			pair = oldLeaf
		}
		parts.MountBinding(t, h.dir, parts.TLSKeys(pair, before, after))
	}
	reported(t, all, 2)
	calls.more(t, 20)
	next, nextCaller := after.Leaf(t, ratingID), after.Leaf(t, movieID)
	for i, h := range all {
		pair := next
		if i == 0 {
			pair = nextCaller
		}
		parts.MountBinding(t, h.dir, parts.TLSKeys(pair, before, after))
	}
	for _, h := range all {
		discoverytest.Eventually(t, "the new certificate is loaded", func() bool { return loads(h) >= 2 })
	}
	calls.more(t, 20)
	for i, h := range all {
		pair := next
		if i == 0 {
			pair = nextCaller
		}
		parts.MountBinding(t, h.dir, parts.TLSKeys(pair, after))
	}
	reported(t, all, 1)
	calls.more(t, 20)
	calls.check(t)

	// Whoever still has a certificate of the old authority, and even trusts it and the new one, is out.
	late := hold(t, oldLeaf, slog.New(slog.DiscardHandler), before, after)
	clients, call := dialed(t, late, "static:///"+addresses[0])
	defer func() { _ = clients.Close() }()
	wantRefused(t, "tls: bad certificate", call)
}

// reported waits until every process tells that it accepts so many authorities.
func reported(t *testing.T, all []holder, authorities int) {
	t.Helper()
	for _, h := range all {
		discoverytest.Eventually(t, "tls_bundle_info tells of the authorities", func() bool {
			return testutil.CollectAndCount(h, "tls_bundle_info") == authorities
		})
	}
}

func loads(h holder) float64 {
	registry := prometheus.NewRegistry()
	registry.MustRegister(h)
	families, err := registry.Gather()
	if err != nil {
		return 0
	}
	for _, f := range families {
		if f.GetName() == "tls_reloads_total" {
			return f.GetMetric()[0].GetCounter().GetValue() // loaded comes before refused
		}
	}
	return 0
}

func TestCertificateSwapUnderLoad(t *testing.T) {
	ca := parts.NewAuthority(t)
	s := serveSecured(t, ca, fine)
	caller := hold(t, ca.Leaf(t, movieID), slog.New(slog.DiscardHandler), ca)
	calls := startLoad(t, caller, "static:///"+s.api)
	for range 2 { // once as Kubernetes does it, once file by file
		loaded := loads(s.holder)
		parts.MountBinding(t, s.dir, parts.TLSKeys(ca.Leaf(t, ratingID), ca))
		parts.MountBinding(t, caller.dir, parts.TLSKeys(ca.Leaf(t, movieID), ca))
		discoverytest.Eventually(t, "the new certificate is loaded", func() bool { return loads(s.holder) > loaded })
		calls.more(t, 20)
	}
	pair := ca.Leaf(t, ratingID)
	parts.WriteBinding(t, s.dir, map[string]string{"tls.crt": string(pair.Certificate)})
	time.Sleep(1500 * time.Millisecond) // the files do not fit, for longer than a look takes
	parts.WriteBinding(t, s.dir, map[string]string{"tls.key": string(pair.Key)})
	discoverytest.Eventually(t, "the pair is loaded once it is whole", func() bool { return loads(s.holder) == 3 })
	calls.more(t, 20)
	calls.check(t)
}

func TestRESTAnswersAcrossASwap(t *testing.T) {
	ca := parts.NewAuthority(t)
	s := serveSecured(t, ca, fine)
	first := s.current(t)
	parts.MountBinding(t, s.dir, parts.TLSKeys(ca.Leaf(t, ratingID), ca))
	discoverytest.Eventually(t, "REST shows the new certificate", func() bool { return s.current(t) != first })
	if code, _ := s.overREST(t, nil, nil); code != http.StatusOK {
		t.Errorf("REST after the swap = %d, want 200", code)
	}
}
