//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"movieexample.com/fleet/services/client"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
	"movieexample.com/fleet/test/parts"
)

func named(service string) string { return "spiffe://cluster.local/ns/movies/sa/" + service }

// member is one who has a certificate: a service, or the caller of this test.
type member struct {
	name  string
	root  string            // of its bindings
	mysql map[string]string // keys of its database's binding, if it has one
}

func newMember(t *testing.T, name string, ca parts.Authority) *member {
	t.Helper()
	m := &member{name: name, root: t.TempDir()}
	m.issue(t, ca, ca)
	return m
}

// issue gives a new certificate, and the authorities that are trusted, as a mounted Secret would.
func (m *member) issue(t *testing.T, ca parts.Authority, trusted ...parts.Authority) {
	t.Helper()
	parts.MountBinding(t, filepath.Join(m.root, "tls"), parts.TLSKeys(ca.Leaf(t, named(m.name)), trusted...))
}

// withDatabase adds a migrated database of its own.
func (m *member) withDatabase(t *testing.T) *member {
	t.Helper()
	dir := migrated(t, m.name)
	m.mysql = map[string]string{}
	for _, key := range []string{"type", "host", "port", "username", "password", "database"} {
		text, err := os.ReadFile(filepath.Join(dir, key))
		if err != nil {
			t.Fatal(err)
		}
		m.mysql[key] = string(text)
	}
	parts.MountBinding(t, filepath.Join(m.root, "mysql"), m.mysql)
	return m
}

// rotateUser gives the service another user of its database, and takes the old one away once it is not connected.
func (m *member) rotateUser(t *testing.T) {
	t.Helper()
	old := m.mysql["username"]
	next := maps.Clone(m.mysql)
	next["username"], next["password"] = old+"_b", "rotated"
	server.Exec(t, "CREATE USER "+next["username"]+"@'%' IDENTIFIED BY 'rotated'",
		"GRANT ALL ON "+next["database"]+".* TO "+next["username"]+"@'%'")
	t.Cleanup(func() { server.Exec(t, "DROP USER "+next["username"]+"@'%'", "CREATE USER IF NOT EXISTS "+old+"@'%'") })
	parts.MountBinding(t, filepath.Join(m.root, "mysql"), next)
	time.Sleep(3 * time.Second)                               // connections in use are replaced within a second
	server.Exec(t, "DROP USER "+old+"@'%'", "KILL USER "+old) // who is still connected with it loses the connection
}

func (m *member) start(t *testing.T, settings string) *program {
	t.Helper()
	p := serve(t, m.name, settings, filepath.Join(m.root, "tls"))
	p.wantReady(t)
	return p
}

// users call the fleet until they are stopped. What they get must be whole: a fallback would hide a failure.
type users struct {
	calls, failures atomic.Int64
	first           atomic.Pointer[string]
	metrics         []*prometheus.Registry // one for each user
	stop            func()
}

// wantLoaded waits until every user has taken so many changes of its certificate's files.
func (u *users) wantLoaded(t *testing.T, times int) {
	t.Helper()
	eventually(t, func() error {
		for _, m := range u.metrics {
			families, err := m.Gather()
			if err != nil {
				return err
			}
			if n := loadedTimes(families); n != float64(times) {
				return fmt.Errorf("a user has loaded its certificate's files %v times, want %d", n, times)
			}
		}
		return nil
	})
}

func loadedTimes(families []*dto.MetricFamily) float64 {
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "tls_reloads_total" && m.GetLabel()[0].GetValue() == "loaded" {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func startUsers(t *testing.T, me *member, f fleet) *users {
	t.Helper()
	u := &users{}
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	use := func(service, address string, call func(context.Context, *client.Client) error) {
		metrics := prometheus.NewRegistry()
		c, err := client.New(client.Options{
			TLSDir: filepath.Join(me.root, "tls"), Server: named(service), Log: slog.New(slog.DiscardHandler), Metrics: metrics,
		})
		if err != nil {
			t.Fatal(err)
		}
		u.metrics = append(u.metrics, metrics)
		wait.Go(func() {
			defer func() { _ = c.Close() }()
			for ctx.Err() == nil {
				u.count(service, call(context.Background(), c))
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	use("movie", f.movie.api, func(ctx context.Context, c *client.Client) error { return details(ctx, c, f.movie.api) })
	use("rating", f.rating.api, func(ctx context.Context, c *client.Client) error { return rate(ctx, c, f.rating.api) })
	u.stop = sync.OnceFunc(func() { cancel(); wait.Wait() })
	t.Cleanup(u.stop)
	return u
}

func details(ctx context.Context, c *client.Client, address string) error {
	conn, err := c.Dial("movie", "static:///"+address, 5*time.Second)
	if err != nil {
		return err
	}
	got, err := moviev1.NewMovieServiceClient(conn).GetMovieDetails(ctx, &moviev1.GetMovieDetailsRequest{MovieId: "tt1"})
	if err == nil && (got.GetDetails().GetStale() || got.GetDetails().GetRating() == nil || got.GetDetails().GetRating().GetStale()) {
		return fmt.Errorf("details are not whole: %v", got)
	}
	return err
}

// rateOnce gives the movie a rating before anybody asks for it.
func rateOnce(t *testing.T, me *member, rating *program) {
	t.Helper()
	c, err := client.New(client.Options{TLSDir: filepath.Join(me.root, "tls"), Server: named("rating"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := rate(t.Context(), c, rating.api); err != nil {
		t.Fatal(err)
	}
}

func rate(ctx context.Context, c *client.Client, address string) error {
	conn, err := c.Dial("rating", "static:///"+address, 5*time.Second)
	if err != nil {
		return err
	}
	_, err = ratingv1.NewRatingServiceClient(conn).PutRating(ctx, &ratingv1.PutRatingRequest{RecordType: "movie", RecordId: "tt1", UserId: "105", Value: 4})
	return err
}

func (u *users) count(service string, err error) {
	u.calls.Add(1)
	if err != nil {
		u.failures.Add(1)
		text := service + ": " + err.Error()
		u.first.CompareAndSwap(nil, &text)
	}
}

// more waits for so many more calls: each step of a rotation is to meet some.
func (u *users) more(t *testing.T, calls int64) {
	t.Helper()
	before := u.calls.Load()
	eventually(t, func() error {
		if done := u.calls.Load() - before; done < calls {
			return fmt.Errorf("the users made %d more calls, want %d", done, calls)
		}
		return nil
	})
}

func (u *users) check(t *testing.T) {
	t.Helper()
	u.stop()
	if n := u.failures.Load(); n > 0 {
		t.Errorf("%d of %d calls failed, want none; the first: %s", n, u.calls.Load(), *u.first.Load())
	}
}

func TestSecretsAreRotatedUnderLoad(t *testing.T) {
	before, after := parts.NewAuthority(t), parts.NewAuthority(t)
	metadata, rating := newMember(t, "metadata", before).withDatabase(t), newMember(t, "rating", before).withDatabase(t)
	movie, me := newMember(t, "movie", before), newMember(t, "me", before)
	f := fleet{
		metadata: metadata.start(t, mysqlStorage+"tls: {mode: mutual}\n"),
		rating:   rating.start(t, mysqlStorage+"tls: {mode: mutual, clients: ['"+named("movie")+"', '"+named("me")+"']}\n"),
	}
	f.movie = movie.start(t, fmt.Sprintf("tls: {mode: server}\nupstreams:\n"+
		"  metadata: {target: 'static:///%s', identity: '%s'}\n  rating: {target: 'static:///%s', identity: '%s', timeout: 2s}\n",
		f.metadata.api, named("metadata"), f.rating.api, named("rating")))
	putOverREST(t, me, f.metadata)
	rateOnce(t, me, f.rating)
	load := startUsers(t, me, f)

	rating.rotateUser(t)
	metadata.rotateUser(t)
	load.more(t, 100)

	all := []*member{metadata, rating, movie, me}
	for _, step := range []struct {
		signs    parts.Authority
		trusted  []parts.Authority
		accepted int
		loaded   int
	}{
		{before, []parts.Authority{before, after}, 2, 1},
		{after, []parts.Authority{before, after}, 2, 2},
		{after, []parts.Authority{after}, 1, 3},
	} {
		for _, m := range all {
			m.issue(t, step.signs, step.trusted...)
		}
		for _, p := range []*program{f.metadata, f.rating, f.movie} {
			p.wantProbe(t, "/metrics", http.StatusOK, fmt.Sprintf(`tls_reloads_total{outcome="loaded"} %d`, step.loaded))
			if got, err := request(t, http.MethodGet, "http://"+p.admin+"/metrics", ""); err != nil || strings.Count(got.body, "\ntls_bundle_info{") != step.accepted {
				t.Errorf("%s accepts other than %d authorities after the step: %v", p.name, step.accepted, err)
			}
		}
		load.wantLoaded(t, step.loaded)
		load.more(t, 100)
	}
	load.check(t)
	for _, p := range []*program{f.metadata, f.rating, f.movie} {
		if log := p.log.String(); strings.Contains(log, "PRIVATE KEY") || strings.Contains(log, "rotated\"") {
			t.Errorf("the log of %s shows a secret", p.name)
		}
	}
}

// putOverREST puts the movie, as a person with the authority's certificate does.
func putOverREST(t *testing.T, me *member, metadata *program) {
	t.Helper()
	c, err := client.New(client.Options{TLSDir: filepath.Join(me.root, "tls"), Server: named("metadata"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	transport := &http.Transport{TLSClientConfig: c.TLS()}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://"+metadata.rest+"/v1/metadata/tt1", strings.NewReader(`{"title": "The Movie 2"}`))
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("PUT metadata over TLS = %s, want 200", response.Status)
	}
}
