//go:build integration

package consul_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
	"go.uber.org/goleak"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/discovery"
	"movieexample.com/fleet/services/internal/discovery/consul"
	"movieexample.com/fleet/services/internal/discovery/discoverytest"
	"movieexample.com/fleet/test/parts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const service = "movies-rating"

func registry(t *testing.T, server *parts.Consul) *consul.Registry {
	t.Helper()
	dir := server.Binding(t)
	r := consul.New(func() (binding.Consul, error) { return binding.ReadConsul(dir) })
	t.Cleanup(r.Close)
	return r
}

// set writes config entries as the operator does.
func set(t *testing.T, client *api.Client, entries ...api.ConfigEntry) {
	t.Helper()
	for _, entry := range entries {
		if _, _, err := client.ConfigEntries().Set(entry, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func remove(t *testing.T, client *api.Client, kind, service string) {
	t.Helper()
	if _, err := client.ConfigEntries().Delete(kind, service, nil); err != nil {
		t.Fatal(err)
	}
}

// setSubset names the revision that gets the requests; there are subsets for it and for the others.
func setSubset(t *testing.T, client *api.Client, service, revision string, others ...string) {
	t.Helper()
	subsets := map[string]api.ServiceResolverSubset{}
	for _, r := range append(others, revision) {
		subsets[r] = api.ServiceResolverSubset{Filter: `Service.Meta.revision == "` + r + `"`, OnlyPassing: true}
	}
	set(t, client,
		&api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: service, Protocol: "grpc"},
		&api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: service, DefaultSubset: revision, Subsets: subsets})
}

func setSplit(t *testing.T, client *api.Client, service string, split ...discovery.Share) {
	t.Helper()
	entry := &api.ServiceSplitterConfigEntry{Kind: api.ServiceSplitter, Name: service}
	for _, share := range split {
		entry.Splits = append(entry.Splits, api.ServiceSplit{Weight: float32(share.Percent), ServiceSubset: share.Subset})
	}
	set(t, client, entry)
}

func TestConsulKeepsTheContract(t *testing.T) {
	discoverytest.Run(t, func(t *testing.T) discoverytest.Subject {
		server := parts.StartConsul(t)
		client := server.Client(t)
		return discoverytest.Subject{
			Registry: registry(t, server),
			SetSubset: func(service, revision string) {
				if revision == "" {
					remove(t, client, api.ServiceResolver, service)
					return
				}
				setSubset(t, client, service, revision, "v1", "v2")
			},
			SetSplit: func(service string, split ...discovery.Share) {
				if len(split) == 0 {
					remove(t, client, api.ServiceSplitter, service)
					return
				}
				setSplit(t, client, service, split...)
			},
		}
	})
}

func TestRegistration(t *testing.T) {
	server := parts.StartConsul(t)
	r := registry(t, server)
	instance := discovery.Instance{
		ID: "rating-abc-1", Host: "fd00::7", Port: 8082, Revision: "abc", PodUID: "uid-1", Namespace: "movies", App: "movies",
	}
	if err := r.Register(t.Context(), service, instance); err != nil {
		t.Fatalf("Register() = %v", err)
	}
	if err := r.ReportHealthy(t.Context(), service, instance.ID, true); err != nil {
		t.Errorf("ReportHealthy() = %v", err)
	}
	entries, _, err := server.Client(t).Health().Service(service, "", true, nil)
	if err != nil || len(entries) != 1 {
		t.Fatalf("Health().Service() = %d entries, %v, want 1", len(entries), err)
	}
	wantMeta := map[string]string{"revision": "abc", "podUID": "uid-1", "namespace": "movies", "app": "movies"}
	if diff := cmp.Diff(wantMeta, entries[0].Service.Meta); diff != "" {
		t.Errorf("meta (-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.Watch(ctx, service, func(s discovery.Snapshot, err error) {
		cancel()
		if diff := cmp.Diff(discovery.Snapshot{Instances: []discovery.Instance{instance}}, s); diff != "" || err != nil {
			t.Errorf("Watch() = error %v (-want +got):\n%s", err, diff)
		}
	})
	if err := r.Deregister(t.Context(), service, instance.ID); err != nil {
		t.Errorf("Deregister() = %v", err)
	}
	if err := r.Deregister(t.Context(), service, instance.ID); err != nil {
		t.Errorf("Deregister() again = %v, want no error", err)
	}
}

// announce keeps an instance registered as a service does.
func announce(t *testing.T, r discovery.Registrar, i discovery.Instance) {
	t.Helper()
	announceWhile(t, r, i, func() bool { return true })
}

func announceWhile(t *testing.T, r discovery.Registrar, i discovery.Instance, ready func() bool) {
	t.Helper()
	a := discovery.NewAnnouncer(r, service, i, ready, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = a.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// passing counts the healthy instances; -1 while Consul cannot be asked.
func passing(client *api.Client) int {
	entries, _, err := client.Health().Service(service, "", true, nil)
	if err != nil {
		return -1
	}
	return len(entries)
}

// The canary comes back after stable: a choice that the registry has lost holds as long as it has an instance of it.
func TestAnAgentThatComesBackEmptyFailsNoCall(t *testing.T) {
	server := parts.StartConsul(t)
	client := server.Client(t)
	r := registry(t, server)
	stable, canary := discoverytest.StartInstance(t, "a", "v1"), discoverytest.StartInstance(t, "b", "v2")
	announce(t, r, stable.Instance)
	announceWhile(t, r, canary.Instance, func() bool { return passing(client) > 0 })
	discoverytest.Eventually(t, "both are registered", func() bool { return passing(client) == 2 })
	setSubset(t, client, service, "v1", "v2")
	conn := discoverytest.Dial(t, r, service)
	discoverytest.Eventually(t, "v1 answers", func() bool {
		revision, err := discoverytest.Call(t.Context(), conn)
		return err == nil && revision == "v1"
	})
	load := discoverytest.StartLoad(t, conn)
	server.Stop(t)
	time.Sleep(2 * time.Second) // the outage lasts for two reports of each instance
	server.Start(t)             // empty: no instance, no service-resolver
	discoverytest.Eventually(t, "both are registered anew", func() bool { return passing(client) == 2 })
	load.More(t, 1000)
	load.WantNoFailure(t)
	if !load.Last("v2").IsZero() {
		t.Error("v2 got calls while the service-resolver was lost, want none")
	}
}

func TestASplitHoldsWhileConsulIsAway(t *testing.T) {
	server := parts.StartConsul(t)
	client := server.Client(t)
	r := registry(t, server)
	announce(t, r, discoverytest.StartInstance(t, "a", "v1").Instance)
	announce(t, r, discoverytest.StartInstance(t, "b", "v2").Instance)
	setSubset(t, client, service, "v1", "v2")
	setSplit(t, client, service, discovery.Share{Subset: "v1", Percent: 50}, discovery.Share{Subset: "v2", Percent: 50})
	load := discoverytest.StartLoad(t, discoverytest.Dial(t, r, service))
	half := func() bool {
		share := load.Share(t, "v2", 300)
		return 40 < share && share < 60
	}
	discoverytest.Eventually(t, "both get half of the calls", half)
	server.Stop(t)
	discoverytest.Eventually(t, "both get half while Consul is away", half)
	if share := load.Share(t, "v2", 600); share < 35 || share > 65 {
		t.Errorf("v2 got %.0f %% of the calls while Consul was away, want about 50", share)
	}
}

func TestAForgottenInstanceRegistersAnew(t *testing.T) {
	server := parts.StartConsul(t)
	client := server.Client(t)
	r := registry(t, server)
	announce(t, r, discoverytest.StartInstance(t, "a", "v1").Instance)
	discoverytest.Eventually(t, "it is registered", func() bool { return passing(client) == 1 })
	if err := client.Agent().ServiceDeregister("a"); err != nil {
		t.Fatal(err)
	}
	discoverytest.Eventually(t, "it is registered anew", func() bool { return passing(client) == 1 })
}

func TestConsulAwayAtTheStart(t *testing.T) {
	server := parts.StartConsul(t)
	server.Stop(t)
	r := registry(t, server)
	instance := discoverytest.StartInstance(t, "a", "v1")
	announce(t, r, instance.Instance)
	conn := discoverytest.Dial(t, r, service)
	if _, err := discoverytest.Call(t.Context(), conn); err == nil {
		t.Error("call = no error while Consul is away, want UNAVAILABLE")
	}
	server.Start(t)
	discoverytest.Eventually(t, "the call succeeds once Consul is there", func() bool {
		_, err := discoverytest.Call(t.Context(), conn)
		return err == nil
	})
}

func TestASilentInstanceIsDropped(t *testing.T) {
	server := parts.StartConsul(t)
	client := server.Client(t)
	r := registry(t, server)
	announce(t, r, discoverytest.StartInstance(t, "a", "v1").Instance)
	silent := discoverytest.StartInstance(t, "b", "v1")
	if err := r.Register(t.Context(), service, silent.Instance); err != nil {
		t.Fatal(err)
	}
	discoverytest.Eventually(t, "both are registered", func() bool { return passing(client) == 2 })
	discoverytest.Eventually(t, "the one that does not report is dropped", func() bool { return passing(client) == 1 })
}

func TestAddressesOfWatchAreUsedAsTheyAre(t *testing.T) {
	server := parts.StartConsul(t)
	r := registry(t, server)
	i := discoverytest.StartInstance(t, "a", "v1")
	i.Host = "::ffff:127.0.0.1" // an IPv6 literal that every host has
	if err := r.Register(t.Context(), service, i.Instance); err != nil {
		t.Fatal(err)
	}
	conn := discoverytest.Dial(t, r, service)
	discoverytest.Eventually(t, "the IPv6 address answers", func() bool {
		_, err := discoverytest.Call(t.Context(), conn)
		return err == nil
	})
}
