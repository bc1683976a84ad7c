//go:build integration

package consul_test

import (
	"context"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/discovery/consul"
	"movieexample.com/fleet/services/internal/discovery/discoverytest"
	lock "movieexample.com/fleet/services/internal/lock/consul"
	"movieexample.com/fleet/test/parts"
)

// as is a registry for whoever has a token.
func as(t *testing.T, server *parts.GuardedConsul, token *api.ACLToken) *consul.Registry {
	t.Helper()
	dir := t.TempDir()
	parts.WriteBinding(t, dir, server.Keys(token))
	r := consul.New(func() (binding.Consul, error) { return binding.ReadConsul(dir) })
	t.Cleanup(r.Close)
	return r
}

func refused(err error) bool { return err != nil && strings.Contains(err.Error(), "Permission denied") }

// TestATokenForEachService: with the rules of the local cluster a service registers, finds the others and takes its own
// locks and flags; it does none of this in the name of another, and a caller's token changes nothing at all.
func TestATokenForEachService(t *testing.T) {
	const other = "movies-metadata"
	server := parts.StartConsulWithACLs(t)
	own := server.ForService(t, service)
	r := as(t, server, own)
	instance := discoverytest.StartInstance(t, "a", "v1").Instance
	announce(t, r, instance)
	discoverytest.Eventually(t, "the instance is healthy", func() bool { return passing(server.Manager) == 1 })

	for who, token := range map[string]*api.ACLToken{"another service": server.ForService(t, other), "a caller": server.ForCaller(t)} {
		conn := discoverytest.Dial(t, as(t, server, token), service)
		discoverytest.Eventually(t, who+" reaches the instance", func() bool {
			_, err := discoverytest.Call(t.Context(), conn)
			return err == nil
		})
		if err := as(t, server, token).Register(t.Context(), service, instance); !refused(err) {
			t.Errorf("%s registers an instance of %s: %v, want it refused", who, service, err)
		}
		if err := server.As(t, token.SecretID).Agent().ServiceDeregister(instance.ID); !refused(err) {
			t.Errorf("%s takes an instance of %s out: %v, want it refused", who, service, err)
		}
		if _, _, err := server.As(t, token.SecretID).ConfigEntries().Set(&api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: service, Protocol: "http"}, nil); !refused(err) {
			t.Errorf("%s writes a config entry of %s: %v, want it refused", who, service, err)
		}
	}
	if got := passing(server.Manager); got != 1 {
		t.Errorf("%d instances are healthy after all that was refused, want 1", got)
	}

	for name, may := range map[string]bool{service: true, other: false} {
		if _, _, err := server.As(t, own.SecretID).KV().Get("flags/"+name, nil); refused(err) == may {
			t.Errorf("%s reads the flags of %s: %v, want them given: %v", service, name, err, may)
		}
	}
	nothing := func(context.Context, uint64) error { return nil }
	if held, err := lock.New(r.Use, service, "a").Do(t.Context(), "processor/0", nothing); err != nil || !held {
		t.Errorf("a lock of its own = %v, %v, want it", held, err)
	}
	if held, err := lock.New(r.Use, other, "a").Do(t.Context(), "processor/0", nothing); held || !refused(err) {
		t.Errorf("a lock of %s = %v, %v, want it refused", other, held, err)
	}
}
