//go:build integration

package integration_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"

	"movieexample.com/fleet/services/client"
	"movieexample.com/fleet/test/parts"
)

// TestPodsAndAuthoritiesAreReplacedUnderLoad: while an authority is exchanged for another, pods come and go as they do in
// any rollout. In each step an instance of rating is replaced by a new one at its address, the two of them in turn.
func TestPodsAndAuthoritiesAreReplacedUnderLoad(t *testing.T) {
	before, after := parts.NewAuthority(t), parts.NewAuthority(t)
	metadata, rating := newMember(t, "metadata", before), newMember(t, "rating", before).withDatabase(t)
	movie, me := newMember(t, "movie", before), newMember(t, "me", before)
	ratingSettings := mysqlStorage + "tls: {mode: mutual, clients: ['" + named("movie") + "', '" + named("me") + "']}\n"
	pod := func(old *program) *program {
		return instanceAt(t, "rating", old, ratingSettings, filepath.Join(rating.root, "tls"))
	}
	pods := []*program{pod(nil), pod(nil)}
	both := pods[0].api + "," + pods[1].api
	f := fleet{metadata: metadata.start(t, "tls: {mode: mutual}\n"), rating: &program{name: "rating", api: both}}
	f.movie = movie.start(t, fmt.Sprintf("tls: {mode: server}\nupstreams:\n"+
		"  metadata: {target: 'static:///%s', identity: '%s'}\n  rating: {target: 'static:///%s', identity: '%s', timeout: 2s}\n",
		f.metadata.api, named("metadata"), both, named("rating")))
	putOverREST(t, me, f.metadata)
	first, err := client.New(client.Options{TLSDir: filepath.Join(me.root, "tls"), Server: named("rating"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := rate(t.Context(), first, both); err != nil {
		t.Fatal(err)
	}
	_ = first.Close()
	load := startUsers(t, me, f)

	loaded := map[*program]int{f.metadata: 1, f.movie: 1}
	for i, step := range []struct {
		signs   parts.Authority
		trusted []parts.Authority
	}{
		{before, []parts.Authority{before, after}},
		{after, []parts.Authority{before, after}},
		{after, []parts.Authority{after}},
	} {
		for _, m := range []*member{metadata, rating, movie, me} {
			m.issue(t, step.signs, step.trusted...)
		}
		for p := range loaded {
			p.wantProbe(t, "/metrics", http.StatusOK, fmt.Sprintf(`tls_reloads_total{outcome="loaded"} %d`, loaded[p]))
			loaded[p]++
		}
		load.wantLoaded(t, i+1)
		old := pods[i%2]
		if err := old.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		load.more(t, 50) // meanwhile the other one has all calls
		if err := old.wait(t); err != nil {
			t.Fatalf("rating after SIGTERM = %v, want exit code 0", err)
		}
		pods[i%2] = pod(old)
		eventually(t, func() error { // callers try an address again after a while, and the next step takes the other one
			if pods[i%2].metric(t, `grpc_server_handled_total{grpc_code="OK",grpc_method="PutRating"`) == 0 {
				return errors.New("the new instance gets no calls")
			}
			return nil
		})
	}
	load.check(t)
}
