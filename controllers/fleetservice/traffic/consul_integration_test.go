//go:build integration

package traffic_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/controllers/fleetservice/traffic"
	"movieexample.com/fleet/controllers/internal/bindings"
	"movieexample.com/fleet/test/parts"
)

const (
	name  = "movies-rating"
	owner = "movies/movies-rating"
)

func at(port int) bindings.Consul {
	return bindings.Consul{Scheme: "http", Host: "127.0.0.1", Port: port}
}

func to(stable string, others ...string) traffic.Route {
	return traffic.Route{Service: name, Owner: owner, Default: stable, Revisions: traffic.Revisions(append(others, stable)...)}
}

func resolver(t *testing.T, client *api.Client) *api.ServiceResolverConfigEntry {
	t.Helper()
	entry, _, err := client.ConfigEntries().Get(api.ServiceResolver, name, nil)
	if err != nil {
		t.Fatalf("get the service-resolver: %v", err)
	}
	return entry.(*api.ServiceResolverConfigEntry)
}

func move(t *testing.T, consul *traffic.Consul, agent bindings.Consul, route traffic.Route) {
	t.Helper()
	if err := consul.Move(t.Context(), agent, route); err != nil {
		t.Fatalf("Move to %s = %v", route.Default, err)
	}
	got, err := consul.Observe(t.Context(), agent, name)
	if err != nil || got != route.Default {
		t.Fatalf("Observe after Move = %q, %v, want %q", got, err, route.Default)
	}
}

func TestConsul(t *testing.T) {
	server := parts.StartConsul(t)
	client, agent, consul := server.Client(t), at(server.Port), traffic.NewConsul()

	t.Run("nothing written yet", func(t *testing.T) {
		if got, err := consul.Observe(t.Context(), agent, name); err != nil || got != "" {
			t.Errorf("Observe = %q, %v, want nothing", got, err)
		}
	})
	t.Run("first revision", func(t *testing.T) {
		move(t, consul, agent, to("aaaa"))
		want := &api.ServiceResolverConfigEntry{
			Kind: api.ServiceResolver, Name: name, DefaultSubset: "aaaa", Meta: map[string]string{"managed-by": "movie-fleet", "owner": owner},
			Subsets: map[string]api.ServiceResolverSubset{"aaaa": {Filter: `Service.Meta.revision == "aaaa"`, OnlyPassing: true}},
		}
		ignore := cmpopts.IgnoreFields(api.ServiceResolverConfigEntry{}, "CreateIndex", "ModifyIndex", "Partition", "Namespace")
		if diff := cmp.Diff(want, resolver(t, client), ignore); diff != "" {
			t.Errorf("service-resolver (-want +got):\n%s", diff)
		}
		defaults, _, err := client.ConfigEntries().Get(api.ServiceDefaults, name, nil)
		if err != nil || defaults.(*api.ServiceConfigEntry).Protocol != "grpc" {
			t.Errorf("service-defaults = %+v, %v, want protocol grpc", defaults, err)
		}
	})
	t.Run("no write when nothing changed", func(t *testing.T) {
		before := index(t, client)
		for range 3 {
			move(t, consul, agent, to("aaaa"))
			move(t, traffic.NewConsul(), agent, to("aaaa")) // another process
		}
		if after := index(t, client); !maps.Equal(before, after) {
			t.Errorf("ModifyIndex went from %v to %v though nothing changed", before, after)
		}
	})
	t.Run("a second revision beside the first", func(t *testing.T) {
		move(t, consul, agent, to("aaaa", "bbbb"))
		if got := len(resolver(t, client).Subsets); got != 2 {
			t.Errorf("the resolver has %d subsets, want 2", got)
		}
	})
	t.Run("switched", func(t *testing.T) {
		move(t, consul, agent, to("bbbb", "aaaa"))
		move(t, consul, agent, to("bbbb"))
		if _, old := resolver(t, client).Subsets["aaaa"]; old {
			t.Error("the subset of the revision that left is still there")
		}
	})
	t.Run("of another owner", func(t *testing.T) {
		theirs := to("cccc")
		theirs.Owner = "films/rating"
		var taken *traffic.NameTaken
		if err := consul.Move(t.Context(), agent, theirs); !errors.As(err, &taken) || !strings.Contains(err.Error(), owner) {
			t.Errorf("Move of a name that belongs to %s = %v, want NameTaken that names the owner", owner, err)
		}
		if err := consul.Remove(t.Context(), agent, name, theirs.Owner); err != nil {
			t.Errorf("Remove by another owner = %v, want nothing done", err)
		}
		if got := resolver(t, client).DefaultSubset; got != "bbbb" {
			t.Errorf("another owner moved the default subset to %q, want bbbb still", got)
		}
	})
	t.Run("removed, and again", func(t *testing.T) {
		for range 2 {
			if err := consul.Remove(t.Context(), agent, name, owner); err != nil {
				t.Errorf("Remove = %v", err)
			}
		}
		for _, kind := range []string{api.ServiceResolver, api.ServiceDefaults} {
			if entries, _, err := client.ConfigEntries().List(kind, nil); err != nil || len(entries) != 0 {
				t.Errorf("%s after Remove = %v, %v, want none", kind, entries, err)
			}
		}
	})
}

// index is when each entry was written last.
func index(t *testing.T, client *api.Client) map[string]uint64 {
	t.Helper()
	found := map[string]uint64{}
	for _, kind := range []string{api.ServiceResolver, api.ServiceDefaults} {
		entry, _, err := client.ConfigEntries().Get(kind, name, nil)
		if err != nil {
			t.Fatalf("get %s: %v", kind, err)
		}
		found[kind] = entry.GetModifyIndex()
	}
	return found
}

func TestConsulHandEditIsRestored(t *testing.T) {
	server := parts.StartConsul(t)
	client, agent, consul := server.Client(t), at(server.Port), traffic.NewConsul()
	passing := api.ServiceResolverSubset{Filter: `Service.Meta.revision == "aaaa"`, OnlyPassing: true}
	elsewhere := &api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "elsewhere", Protocol: "grpc"}
	if _, _, err := client.ConfigEntries().Set(elsewhere, nil); err != nil {
		t.Fatal(err)
	}
	for what, edit := range map[string]api.ConfigEntry{
		"default subset":    &api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: name, DefaultSubset: "x", Subsets: map[string]api.ServiceResolverSubset{"aaaa": passing, "x": passing}},
		"filter":            &api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: name, DefaultSubset: "aaaa", Subsets: map[string]api.ServiceResolverSubset{"aaaa": {OnlyPassing: true}}},
		"failing instances": &api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: name, DefaultSubset: "aaaa", Subsets: map[string]api.ServiceResolverSubset{"aaaa": {Filter: passing.Filter}}},
		"redirect":          &api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: name, Redirect: &api.ServiceResolverRedirect{Service: "elsewhere"}},
		"failover":          &api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: name, DefaultSubset: "aaaa", Subsets: map[string]api.ServiceResolverSubset{"aaaa": passing}, Failover: map[string]api.ServiceResolverFailover{"*": {Service: "elsewhere"}}},
		"protocol":          &api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: name, Protocol: "tcp"},
	} {
		t.Run(what, func(t *testing.T) {
			move(t, consul, agent, to("aaaa"))
			if done, _, err := client.ConfigEntries().Set(edit, nil); err != nil || !done {
				t.Fatalf("edit by hand: %v, %v", done, err)
			}
			move(t, consul, agent, to("aaaa"))
			got := resolver(t, client)
			want := map[string]api.ServiceResolverSubset{"aaaa": passing}
			if diff := cmp.Diff(want, got.Subsets); diff != "" || got.Redirect != nil || len(got.Failover) != 0 {
				t.Errorf("service-resolver after Move = %+v, want it restored", got)
			}
			defaults, _, err := client.ConfigEntries().Get(api.ServiceDefaults, name, nil)
			if err != nil || defaults.(*api.ServiceConfigEntry).Protocol != "grpc" {
				t.Errorf("service-defaults after Move = %+v, %v, want protocol grpc", defaults, err)
			}
		})
	}
}

// TestConsulLostRace puts a proxy before Consul that lets somebody else write between our look and our write.
func TestConsulLostRace(t *testing.T) {
	server := parts.StartConsul(t)
	client := server.Client(t)
	move(t, traffic.NewConsul(), at(server.Port), to("aaaa"))
	theirs := &api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: name, ConnectTimeout: time.Second}
	var once sync.Once
	target := &url.URL{Scheme: "http", Host: at(server.Port).Address()}
	proxy := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && r.URL.Query().Has("cas") {
			once.Do(func() { _, _, _ = client.ConfigEntries().Set(theirs, nil) })
		}
		proxy.ServeHTTP(w, r)
	}))
	defer front.Close()
	agent := at(front.Listener.Addr().(*net.TCPAddr).Port)

	consul := traffic.NewConsul()
	err := consul.Move(t.Context(), agent, to("bbbb", "aaaa"))
	if err == nil || !strings.Contains(err.Error(), "changed while it was being written") {
		t.Errorf("Move in a lost race = %v, want an error that says so", err)
	}
	if got := resolver(t, client); got.ConnectTimeout != time.Second || got.DefaultSubset != "" {
		t.Errorf("service-resolver after a lost race = %+v, want what the other wrote", got)
	}
	move(t, consul, agent, to("bbbb", "aaaa")) // the next look wins
}

func TestConsulAway(t *testing.T) {
	hangs, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hangs.Close() })
	for what, test := range map[string]struct {
		port int
		want string
	}{
		"nobody listens": {parts.FreePort(t), "dial: connect: connection refused"},
		"it hangs":       {hangs.Addr().(*net.TCPAddr).Port, "no answer in 3s"},
	} {
		agent := at(test.port)
		want := "consul at " + agent.String() + ": "
		for call, do := range map[string]func(context.Context, *traffic.Consul) error{
			"Observe": func(ctx context.Context, c *traffic.Consul) error { _, err := c.Observe(ctx, agent, name); return err },
			"Move":    func(ctx context.Context, c *traffic.Consul) error { return c.Move(ctx, agent, to("aaaa")) },
			"Remove":  func(ctx context.Context, c *traffic.Consul) error { return c.Remove(ctx, agent, name, owner) },
		} {
			t.Run(what+", "+call, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				defer cancel()
				err := do(ctx, traffic.NewConsul())
				if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s = %v, want an error that begins with %q and says %q", call, err, want, test.want)
				}
				if ctx.Err() != nil {
					t.Errorf("%s took 4 s, want an answer sooner", call)
				}
			})
		}
	}
}

func TestConsulTokens(t *testing.T) {
	const management = "11111111-2222-3333-4444-555555555555"
	server := parts.StartConsul(t, "-hcl", `acl { enabled = true default_policy = "deny" tokens { initial_management = "`+management+`" } }`)
	good := at(server.Port)
	good.Token = management
	consul := traffic.NewConsul()
	// The leader answers before it has written the management token.
	for deadline := time.Now().Add(30 * time.Second); consul.Move(t.Context(), good, to("aaaa")) != nil; {
		if time.Now().After(deadline) {
			t.Fatal("Consul does not take its management token")
		}
	}
	move(t, consul, good, to("aaaa"))
	for what, token := range map[string]string{"none": "", "wrong": "99999999-2222-3333-4444-555555555555"} {
		t.Run(what, func(t *testing.T) {
			agent := at(server.Port)
			agent.Token = token
			err := consul.Move(t.Context(), agent, to("bbbb", "aaaa"))
			if err == nil || !strings.Contains(err.Error(), `correct the key "token" of the Secret`) {
				t.Errorf("Move = %v, want an error that names the key token", err)
			}
			if token != "" && strings.Contains(err.Error(), token) {
				t.Errorf("Move = %v: the token must not be told", err)
			}
		})
	}
}
