//go:build integration

package traffic_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
	"pgregory.net/rapid"

	"movieexample.com/fleet/controllers/fleetservice/traffic"
	"movieexample.com/fleet/controllers/internal/bindings"
	"movieexample.com/fleet/test/parts"
	"movieexample.com/fleet/test/ports"
)

// between puts a proxy before Consul that calls hook around each request.
func between(t *testing.T, port int, hook func(r *http.Request, serve func())) bindings.Consul {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: at(port).Address()})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hook(r, func() { proxy.ServeHTTP(w, r) })
	}))
	t.Cleanup(front.Close)
	return at(front.Listener.Addr().(*net.TCPAddr).Port)
}

// TestConsulNoMomentWithoutASubset looks after every single write: what the entries name exists, and no request goes to a
// revision that neither the split before nor the split after gives a share.
func TestConsulNoMomentWithoutASubset(t *testing.T) {
	server := parts.StartConsul(t)
	client, consul := server.Client(t), traffic.NewConsul()
	allowed := map[string]bool{}
	check := func() {
		now := held(t, client)
		resolver, _ := now[api.ServiceResolver].(*api.ServiceResolverConfigEntry)
		splitter, _ := now[api.ServiceSplitter].(*api.ServiceSplitterConfigEntry)
		if resolver == nil {
			return // the very first write
		}
		served := []string{resolver.DefaultSubset}
		if splitter != nil {
			served = nil
			for _, s := range splitter.Splits {
				served = append(served, s.ServiceSubset)
			}
		}
		for _, revision := range served {
			if _, there := resolver.Subsets[revision]; !there || !allowed[revision] {
				t.Errorf("requests go to %q, which has a subset: %t, and which the splits before and after name: %v", revision, there, allowed)
			}
		}
	}
	target := rating("movies", between(t, server.Port, func(r *http.Request, serve func()) {
		serve()
		if r.Method == http.MethodPut {
			check()
		}
	}))
	before := alone("aaaa")
	rapid.Check(t, func(rt *rapid.T) {
		hash := rapid.SampledFrom([]string{"aaaa", "bbbb", "cccc", "dddd"})
		after := traffic.Split{Main: hash.Draw(rt, "main"), Percent: rapid.Int32Range(0, 99).Draw(rt, "percent")}
		if other := hash.Draw(rt, "other"); other != after.Main {
			after.Other = other
		}
		after.Live = rapid.SliceOfDistinct(hash, rapid.ID).Draw(rt, "live")
		clear(allowed)
		for _, s := range []traffic.Split{before, after} {
			allowed[s.Main], allowed[s.Other] = true, true
		}
		if err := consul.Move(t.Context(), target, after); err != nil {
			rt.Fatalf("Move from %+v to %+v = %v", before, after, err)
		}
		if ok, err := consul.Follows(t.Context(), target, after); !ok || err != nil {
			rt.Fatalf("Follows %+v = %t, %v", after, ok, err)
		}
		before = after
	})
}

// TestConsulLostRace lets somebody else write between our look and our write of each entry.
func TestConsulLostRace(t *testing.T) {
	server := parts.StartConsul(t)
	client := server.Client(t)
	two := map[string]api.ServiceResolverSubset{"aaaa": subset("aaaa"), "bbbb": subset("bbbb")}
	for kind, theirs := range map[string]api.ConfigEntry{
		api.ServiceResolver: &api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: name, DefaultSubset: "aaaa", Subsets: two, ConnectTimeout: time.Second},
		api.ServiceSplitter: &api.ServiceSplitterConfigEntry{Kind: api.ServiceSplitter, Name: name, Splits: []api.ServiceSplit{split("aaaa", 70), split("bbbb", 30)}},
	} {
		t.Run(kind, func(t *testing.T) {
			move(t, traffic.NewConsul(), rating("movies", at(server.Port)), alone("aaaa", "bbbb"))
			var once sync.Once
			target := rating("movies", between(t, server.Port, func(r *http.Request, serve func()) {
				if r.URL.Query().Get("cas") == strconv.FormatUint(held(t, client)[kind].GetModifyIndex(), 10) {
					once.Do(func() { set(t, client, theirs) })
				}
				serve()
			}))
			consul, wanted := traffic.NewConsul(), shared("bbbb", "aaaa", 10)
			if err := consul.Move(t.Context(), target, wanted); err == nil || !strings.Contains(err.Error(), "changed while it was being written") {
				t.Errorf("Move in a lost race = %v, want an error that says so", err)
			}
			if diff := cmp.Diff(theirs.GetMeta(), held(t, client)[kind].GetMeta()); diff != "" {
				t.Errorf("%s after a lost race is not what the other wrote (-want +got meta):\n%s", kind, diff)
			}
			move(t, consul, target, wanted) // the next look wins
		})
	}
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
		"nobody listens": {ports.Free(t), "dial: connect: connection refused"},
		"it hangs":       {hangs.Addr().(*net.TCPAddr).Port, "no answer in 3s"},
	} {
		target := rating("movies", at(test.port))
		want := "consul at " + target.Consul.String() + ": "
		for call, do := range map[string]func(context.Context, *traffic.Consul) error{
			"Follows": func(ctx context.Context, c *traffic.Consul) error {
				_, err := c.Follows(ctx, target, alone("aaaa"))
				return err
			},
			"Move":   func(ctx context.Context, c *traffic.Consul) error { return c.Move(ctx, target, alone("aaaa")) },
			"Remove": func(ctx context.Context, c *traffic.Consul) error { return c.Remove(ctx, target) },
			"Deregister": func(ctx context.Context, c *traffic.Consul) error {
				_, err := c.Deregister(ctx, target, nil, nil)
				return err
			},
		} {
			t.Run(what+", "+call, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				err := do(ctx, traffic.NewConsul())
				if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s = %v, want an error that begins with %q and says %q", call, err, want, test.want)
				}
				if ctx.Err() != nil {
					t.Errorf("%s took 20 s, want it given up after 3", call)
				}
			})
		}
	}
}

// TestConsulSlowAnswersAddUp: the bound is for all that a method asks, not for each question.
func TestConsulSlowAnswersAddUp(t *testing.T) {
	server := parts.StartConsul(t)
	move(t, traffic.NewConsul(), rating("movies", at(server.Port)), alone("aaaa"))
	target := rating("movies", between(t, server.Port, func(r *http.Request, serve func()) {
		select {
		case <-r.Context().Done():
		case <-time.After(1200 * time.Millisecond):
		}
		serve()
	}))
	if _, err := traffic.NewConsul().Follows(t.Context(), target, alone("aaaa")); err == nil || !strings.Contains(err.Error(), "no answer in 3s") {
		t.Errorf("Follows of three answers of 1.2 s = %v, want it given up at 3 s", err)
	}
}

func TestConsulReusesConnections(t *testing.T) {
	server := parts.StartConsul(t)
	var opened atomic.Int32
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: at(server.Port).Address()})
	front := httptest.NewUnstartedServer(proxy)
	front.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	front.Start()
	t.Cleanup(front.Close)
	consul := traffic.NewConsul()
	for _, token := range []string{"", "one", "two"} { // of several services; ACLs are off
		target := rating("movies", at(front.Listener.Addr().(*net.TCPAddr).Port))
		target.Consul.Token = token
		for range 5 {
			move(t, consul, target, alone("aaaa"))
		}
	}
	if got := opened.Load(); got != 1 {
		t.Errorf("%d connections were opened for moves one after the other, want 1", got)
	}
}

func TestConsulTokens(t *testing.T) {
	server := parts.StartConsulWithACLs(t)
	good := rating("movies", at(server.Port))
	good.Consul.Token = parts.ManagementToken
	consul := traffic.NewConsul()
	move(t, consul, good, alone("aaaa"))
	for what, token := range map[string]string{"none": "", "wrong": "99999999-2222-3333-4444-555555555555"} {
		t.Run(what, func(t *testing.T) {
			target := rating("movies", at(server.Port))
			target.Consul.Token = token
			err := consul.Move(t.Context(), target, shared("bbbb", "aaaa", 5))
			if err == nil || !strings.Contains(err.Error(), `correct the key "token" of the Secret`) {
				t.Errorf("Move = %v, want an error that names the key token", err)
			}
			if token != "" && strings.Contains(err.Error(), token) {
				t.Errorf("Move = %v: the token must not be told", err)
			}
		})
	}
}

func TestConsulWithoutASecret(t *testing.T) {
	target := rating("movies", at(1))
	target.Consul = nil
	if err := traffic.NewConsul().Move(t.Context(), target, alone("aaaa")); err == nil || !strings.Contains(err.Error(), "Secret") {
		t.Errorf("Move without an agent = %v, want an error that names the Secret", err)
	}
}
