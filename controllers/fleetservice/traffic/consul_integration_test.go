//go:build integration

package traffic_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/consul/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/traffic"
	"movieexample.com/fleet/controllers/internal/bindings"
	"movieexample.com/fleet/test/parts"
)

const (
	name  = "movies-rating"
	owner = "movies/rating"
)

func at(port int) bindings.Consul {
	return bindings.Consul{Scheme: "http", Host: "127.0.0.1", Port: port}
}

// rating is the service as the provider knows it, in a namespace.
func rating(namespace string, agent bindings.Consul) traffic.Target {
	fs := &v1alpha1.FleetService{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "rating"}}
	fs.Spec.ConsulName = name
	return traffic.Target{Service: fs, Consul: &agent}
}

// alone gives a revision all requests, beside others that have pods.
func alone(main string, others ...string) traffic.Split {
	return traffic.Split{Main: main, Live: append(others, main)}
}

// shared gives a second revision a share.
func shared(main, other string, percent int32) traffic.Split {
	return traffic.Split{Main: main, Other: other, Percent: percent, Live: []string{main, other}}
}

// move moves and checks that the provider sees it done.
func move(t *testing.T, c *traffic.Consul, target traffic.Target, split traffic.Split) {
	t.Helper()
	if err := c.Move(t.Context(), target, split); err != nil {
		t.Fatalf("Move to %+v = %v", split, err)
	}
	follows(t, c, target, split, true)
}

func follows(t *testing.T, c *traffic.Consul, target traffic.Target, split traffic.Split, want bool) {
	t.Helper()
	if got, err := c.Follows(t.Context(), target, split); got != want || err != nil {
		t.Errorf("Follows %+v = %t, %v, want %t", split, got, err, want)
	}
}

// held are the entries of the service by kind.
func held(t testing.TB, client *api.Client) map[string]api.ConfigEntry {
	t.Helper()
	found := map[string]api.ConfigEntry{}
	for _, kind := range []string{api.ServiceDefaults, api.ServiceResolver, api.ServiceSplitter} {
		entry, _, err := client.ConfigEntries().Get(kind, name, nil)
		var status api.StatusError
		switch {
		case errors.As(err, &status) && status.Code == http.StatusNotFound:
		case err != nil:
			t.Fatalf("get %s: %v", kind, err)
		default:
			found[kind] = entry
		}
	}
	return found
}

func subset(revision string) api.ServiceResolverSubset {
	return api.ServiceResolverSubset{Filter: `Service.Meta.revision == "` + revision + `"`, OnlyPassing: true}
}

// entriesOf are the entries that a split comes to, with subsets for some revisions.
func entriesOf(main string, splits []api.ServiceSplit, revisions ...string) map[string]api.ConfigEntry {
	meta := map[string]string{"managed-by": "movie-fleet", "owner": owner}
	subsets := map[string]api.ServiceResolverSubset{}
	for _, r := range revisions {
		subsets[r] = subset(r)
	}
	return map[string]api.ConfigEntry{
		api.ServiceDefaults: &api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: name, Protocol: "grpc", Meta: meta},
		api.ServiceResolver: &api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: name, DefaultSubset: main, Subsets: subsets, Meta: meta},
		api.ServiceSplitter: &api.ServiceSplitterConfigEntry{Kind: api.ServiceSplitter, Name: name, Splits: splits, Meta: meta},
	}
}

func wantHeld(t *testing.T, client *api.Client, want map[string]api.ConfigEntry) {
	t.Helper()
	var ignore cmp.Options
	for _, kind := range []any{api.ServiceConfigEntry{}, api.ServiceResolverConfigEntry{}, api.ServiceSplitterConfigEntry{}} {
		ignore = append(ignore, cmpopts.IgnoreFields(kind, "CreateIndex", "ModifyIndex", "Partition", "Namespace"))
	}
	ignore = append(ignore, cmpopts.IgnoreFields(api.ServiceConfigEntry{}, "TransparentProxy")) // filled in by Consul
	if diff := cmp.Diff(want, held(t, client), ignore); diff != "" {
		t.Errorf("config entries (-want +got):\n%s", diff)
	}
}

func split(revision string, weight float32) api.ServiceSplit {
	return api.ServiceSplit{Weight: weight, ServiceSubset: revision}
}

func TestConsulMoves(t *testing.T) {
	server := parts.StartConsul(t)
	client, consul, target := server.Client(t), traffic.NewConsul(), rating("movies", at(server.Port))
	follows(t, consul, target, alone("aaaa"), false) // nothing is written yet
	for _, step := range []struct {
		name  string
		split traffic.Split
		want  map[string]api.ConfigEntry
	}{
		{"the first revision", alone("aaaa"), entriesOf("aaaa", []api.ServiceSplit{split("aaaa", 100)}, "aaaa")},
		{"a second one starts", alone("aaaa", "bbbb"), entriesOf("aaaa", []api.ServiceSplit{split("aaaa", 100)}, "aaaa", "bbbb")},
		{"one percent", shared("aaaa", "bbbb", 1), entriesOf("aaaa", []api.ServiceSplit{split("aaaa", 99), split("bbbb", 1)}, "aaaa", "bbbb")},
		{"half", shared("aaaa", "bbbb", 50), entriesOf("aaaa", []api.ServiceSplit{split("aaaa", 50), split("bbbb", 50)}, "aaaa", "bbbb")},
		{"all", alone("bbbb", "aaaa"), entriesOf("bbbb", []api.ServiceSplit{split("bbbb", 100)}, "aaaa", "bbbb")},
		{"half for the old one again", shared("bbbb", "aaaa", 50), entriesOf("bbbb", []api.ServiceSplit{split("bbbb", 50), split("aaaa", 50)}, "aaaa", "bbbb")},
		{"back at once", alone("aaaa", "bbbb"), entriesOf("aaaa", []api.ServiceSplit{split("aaaa", 100)}, "aaaa", "bbbb")},
		{"the other one gone", alone("aaaa"), entriesOf("aaaa", []api.ServiceSplit{split("aaaa", 100)}, "aaaa")},
	} {
		t.Run(step.name, func(t *testing.T) {
			move(t, consul, target, step.split)
			wantHeld(t, client, step.want)
			before := held(t, client)
			move(t, consul, target, step.split)
			move(t, traffic.NewConsul(), target, step.split) // another process
			if after := held(t, client); !maps.EqualFunc(before, after, func(a, b api.ConfigEntry) bool { return a.GetModifyIndex() == b.GetModifyIndex() }) {
				t.Error("entries were written though nothing changed")
			}
		})
	}
}

// TestConsulOverTLS: an agent behind a certificate is asked if it comes from the binding's authorities, and no other.
func TestConsulOverTLS(t *testing.T) {
	server := parts.StartConsul(t)
	front := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: at(server.Port).Address()}))
	t.Cleanup(front.Close)
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	agent := at(front.Listener.Addr().(*net.TCPAddr).Port)
	agent.Scheme = "https"
	consul := traffic.NewConsul()
	err := consul.Move(t.Context(), rating("movies", agent), alone("aaaa"))
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("Move without the authorities = %v, want that the certificate is not known", err)
	}
	agent.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}))
	move(t, consul, rating("movies", agent), alone("aaaa"))
	wantHeld(t, server.Client(t), entriesOf("aaaa", []api.ServiceSplit{split("aaaa", 100)}, "aaaa"))
}

// TestConsulSeesWhatIsAsked guards Follows against a yes to another split.
func TestConsulSeesWhatIsAsked(t *testing.T) {
	server := parts.StartConsul(t)
	consul, target := traffic.NewConsul(), rating("movies", at(server.Port))
	move(t, consul, target, shared("aaaa", "bbbb", 5))
	for what, other := range map[string]traffic.Split{
		"another share":        shared("aaaa", "bbbb", 6),
		"the two changed":      shared("bbbb", "aaaa", 5),
		"none but main":        alone("aaaa", "bbbb"),
		"another main":         shared("cccc", "bbbb", 5),
		"a revision not there": {Main: "aaaa", Other: "bbbb", Percent: 5, Live: []string{"aaaa", "bbbb", "cccc"}},
	} {
		t.Run(what, func(t *testing.T) { follows(t, consul, target, other, false) })
	}
}

func TestConsulSubsetsOutliveTheSplitThatNamesThem(t *testing.T) {
	server := parts.StartConsul(t)
	client, consul, target := server.Client(t), traffic.NewConsul(), rating("movies", at(server.Port))
	move(t, consul, target, shared("aaaa", "bbbb", 20))
	move(t, consul, target, alone("aaaa")) // bbbb lost its pods and its share in one look
	wantHeld(t, client, entriesOf("aaaa", []api.ServiceSplit{split("aaaa", 100)}, "aaaa", "bbbb"))
	move(t, consul, target, alone("aaaa"))
	wantHeld(t, client, entriesOf("aaaa", []api.ServiceSplit{split("aaaa", 100)}, "aaaa"))
}

func set(t *testing.T, client *api.Client, entries ...api.ConfigEntry) {
	t.Helper()
	for _, entry := range entries {
		if done, _, err := client.ConfigEntries().Set(entry, nil); err != nil || !done {
			t.Fatalf("set %s: %t, %v", entry.GetKind(), done, err)
		}
	}
}

func remove(t *testing.T, client *api.Client, kinds ...string) {
	t.Helper()
	for _, kind := range kinds {
		if _, err := client.ConfigEntries().Delete(kind, name, nil); err != nil {
			t.Fatalf("delete %s: %v", kind, err)
		}
	}
}

func TestConsulHandEditIsRestored(t *testing.T) {
	server := parts.StartConsul(t)
	client, consul, target := server.Client(t), traffic.NewConsul(), rating("movies", at(server.Port))
	set(t, client, &api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "elsewhere", Protocol: "grpc"})
	want := shared("aaaa", "bbbb", 5)
	resolver := func(main string, change func(*api.ServiceResolverConfigEntry)) api.ConfigEntry {
		r := &api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: name, DefaultSubset: main, Subsets: map[string]api.ServiceResolverSubset{"aaaa": subset("aaaa"), "bbbb": subset("bbbb")}}
		change(r)
		return r
	}
	splitter := func(splits ...api.ServiceSplit) api.ConfigEntry {
		return &api.ServiceSplitterConfigEntry{Kind: api.ServiceSplitter, Name: name, Splits: splits}
	}
	for what, edit := range map[string]func(t *testing.T){
		"default subset": func(t *testing.T) { set(t, client, resolver("bbbb", func(*api.ServiceResolverConfigEntry) {})) },
		"filter": func(t *testing.T) {
			set(t, client, resolver("aaaa", func(r *api.ServiceResolverConfigEntry) {
				r.Subsets["bbbb"] = api.ServiceResolverSubset{OnlyPassing: true}
			}))
		},
		"failing instances": func(t *testing.T) {
			set(t, client, resolver("aaaa", func(r *api.ServiceResolverConfigEntry) {
				r.Subsets["aaaa"] = api.ServiceResolverSubset{Filter: subset("aaaa").Filter}
			}))
		},
		"failover": func(t *testing.T) {
			set(t, client, resolver("aaaa", func(r *api.ServiceResolverConfigEntry) {
				r.Failover = map[string]api.ServiceResolverFailover{"*": {Service: "elsewhere"}}
			}))
		},
		"redirect": func(t *testing.T) {
			remove(t, client, api.ServiceSplitter)
			set(t, client, &api.ServiceResolverConfigEntry{Kind: api.ServiceResolver, Name: name, Redirect: &api.ServiceResolverRedirect{Service: "elsewhere"}})
		},
		"weights":           func(t *testing.T) { set(t, client, splitter(split("aaaa", 50), split("bbbb", 50))) },
		"the canary unsaid": func(t *testing.T) { set(t, client, splitter(split("aaaa", 95), split("", 5))) },
		"another service": func(t *testing.T) {
			set(t, client, splitter(split("aaaa", 95), api.ServiceSplit{Weight: 5, Service: "elsewhere"}))
		},
		"headers": func(t *testing.T) {
			header := &api.HTTPHeaderModifiers{Set: map[string]string{"a": "b"}}
			set(t, client, splitter(api.ServiceSplit{Weight: 95, ServiceSubset: "aaaa", RequestHeaders: header}, split("bbbb", 5)))
		},
		"splitter gone": func(t *testing.T) { remove(t, client, api.ServiceSplitter) },
		"protocol": func(t *testing.T) {
			remove(t, client, api.ServiceSplitter)
			set(t, client, &api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: name, Protocol: "tcp", Meta: map[string]string{"managed-by": "movie-fleet", "owner": owner}})
		},
		"all gone": func(t *testing.T) { remove(t, client, api.ServiceSplitter, api.ServiceResolver, api.ServiceDefaults) },
	} {
		t.Run(what, func(t *testing.T) {
			move(t, consul, target, want)
			edit(t)
			follows(t, consul, target, want, false)
			move(t, consul, target, want)
			wantHeld(t, client, entriesOf("aaaa", []api.ServiceSplit{split("aaaa", 95), split("bbbb", 5)}, "aaaa", "bbbb"))
		})
	}
}

func TestConsulOwners(t *testing.T) {
	server := parts.StartConsul(t)
	client, consul := server.Client(t), traffic.NewConsul()
	ours, theirs := rating("movies", at(server.Port)), rating("films", at(server.Port))
	move(t, consul, ours, shared("aaaa", "bbbb", 5))
	before := held(t, client)

	var taken *traffic.NameTaken
	if err := consul.Move(t.Context(), theirs, alone("cccc")); !errors.As(err, &taken) || !strings.Contains(err.Error(), owner) {
		t.Errorf("Move of a name that belongs to %s = %v, want NameTaken that names the owner", owner, err)
	}
	if err := consul.Remove(t.Context(), theirs); err != nil {
		t.Errorf("Remove by another owner = %v, want nothing done", err)
	}
	if diff := cmp.Diff(before, held(t, client)); diff != "" {
		t.Errorf("entries after another owner came (-before +after):\n%s", diff)
	}
	for range 2 { // and again
		if err := consul.Remove(t.Context(), ours); err != nil {
			t.Errorf("Remove = %v", err)
		}
	}
	wantHeld(t, client, map[string]api.ConfigEntry{})
}

// TestConsulKeepsDefaultsOfAPerson: of an entry that somebody else made only the protocol is set, and it stays.
func TestConsulKeepsDefaultsOfAPerson(t *testing.T) {
	server := parts.StartConsul(t)
	client, consul, target := server.Client(t), traffic.NewConsul(), rating("movies", at(server.Port))
	for protocol, what := range map[string]string{"grpc": "as wanted", "tcp": "another protocol"} {
		t.Run(what, func(t *testing.T) {
			theirs := &api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: name, Protocol: protocol, MaxInboundConnections: 7, Meta: map[string]string{"team": "movies"}}
			set(t, client, theirs)
			move(t, consul, target, alone("aaaa"))
			if err := consul.Remove(t.Context(), target); err != nil {
				t.Fatalf("Remove = %v", err)
			}
			theirs.Protocol = "grpc"
			wantHeld(t, client, map[string]api.ConfigEntry{api.ServiceDefaults: theirs})
		})
	}
}
