//go:build integration

package integration_test

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"movieexample.com/fleet/controllers/movieapp/certificates"
	"movieexample.com/fleet/test/parts"
)

// issued are the Secrets that the operator would make for members, mounted as they are in a cluster.
type issued struct {
	t       *testing.T
	state   certificates.State
	members []*member
}

// step does what the operator does at this moment, and mounts what changed.
func (i *issued) step(trusted string) certificates.Change {
	i.t.Helper()
	var services []certificates.Service
	for _, m := range i.members {
		services = append(services, certificates.Service{Name: m.name, Identity: named(m.name), Hosts: []string{"localhost"}})
	}
	change, err := certificates.Step(i.state, services, trusted, time.Now(), certificates.Policy{Namespace: "cinema", App: "movies", Lifetime: time.Hour, Rotation: time.Hour})
	if err != nil {
		i.t.Fatal(err)
	}
	if change.Authority != nil {
		i.state.Authority = change.Authority
	}
	maps.Copy(i.state.Leaves, change.Leaves)
	for _, m := range i.members {
		keys := map[string]string{}
		for file, content := range i.state.Leaves[m.name] {
			keys[file] = string(content)
		}
		parts.MountBinding(i.t, filepath.Join(m.root, "tls"), keys)
	}
	return change
}

// TestTheOperatorsCertificates: services take the certificates that the operator makes, tell it whom they trust in the words
// in which it asks, and fail no call while it goes over to its next authority.
func TestTheOperatorsCertificates(t *testing.T) {
	i := &issued{t: t, state: certificates.State{Leaves: map[string]map[string][]byte{}}}
	for _, name := range []string{"metadata", "rating", "movie", "me"} {
		i.members = append(i.members, &member{name: name, root: t.TempDir()})
	}
	metadata, rating, movie, me := i.members[0], i.members[1], i.members[2], i.members[3]
	first := i.step("")
	f := fleet{metadata: metadata.start(t, "tls: {mode: mutual}\n"), rating: rating.start(t, "tls: {mode: mutual}\n")}
	f.movie = movie.start(t, fmt.Sprintf("tls: {mode: server}\nupstreams:\n"+
		"  metadata: {target: 'static:///%s', identity: '%s'}\n  rating: {target: 'static:///%s', identity: '%s', timeout: 2s}\n",
		f.metadata.api, named("metadata"), f.rating.api, named("rating")))
	programs := []*program{f.metadata, f.rating, f.movie}
	trust := func(fingerprint string) {
		t.Helper()
		for _, p := range programs {
			p.wantProbe(t, "/metrics", http.StatusOK, `tls_bundle_info{fingerprint="`+fingerprint+`"`)
		}
	}
	trust(first.Signs)
	putOverREST(t, me, f.metadata)
	rateOnce(t, me, f.rating)
	load := startUsers(t, me, f)

	i.state.Authority = nil // somebody deleted the Secret: the next authority is to take over at once
	awaited := i.step("").Awaited
	if awaited == "" {
		t.Fatal("no authority waits to be trusted")
	}
	trust(awaited)
	load.wantLoaded(t, 1)
	load.more(t, 100)
	if signs := i.step(awaited).Signs; signs != awaited {
		t.Fatalf("%s signs, want %s that everybody trusts", signs, awaited)
	}
	for _, p := range programs {
		p.wantProbe(t, "/metrics", http.StatusOK, `tls_reloads_total{outcome="loaded"} 2`)
	}
	trust(awaited)
	load.wantLoaded(t, 2)
	load.more(t, 100)
	load.check(t)
}
