//go:build integration

package shared_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/cache"
	"movieexample.com/fleet/services/internal/cache/shared"
	"movieexample.com/fleet/test/parts"
)

type movie struct {
	Title string
	Year  int
}

// fixture is one instance's view of a Redis that may be shared, and the database behind it.
type fixture struct {
	*shared.Store[movie]

	metrics  *cache.Metrics
	mu       sync.Mutex
	database map[string]movie
	reads    int
}

// newFixture waits for a Redis that is slow, so that a busy machine changes nothing.
func newFixture(t *testing.T, binding string) *fixture {
	t.Helper()
	return newFixtureWith(t, binding, shared.OpenPatient)
}

// newHasty has the limits of a service.
func newHasty(t *testing.T, binding string) *fixture {
	t.Helper()
	return newFixtureWith(t, binding, shared.Open)
}

func newFixtureWith(t *testing.T, binding string, open func(string, *slog.Logger) *redis.Client) *fixture {
	t.Helper()
	before := goleak.IgnoreCurrent()
	registry := prometheus.NewRegistry()
	f := &fixture{metrics: cache.NewMetrics(registry), database: map[string]movie{"a": {"A", 1}, "b": {"B", 2}}}
	client := open(binding, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, before)
	})
	f.Store = shared.New[movie](client, shared.Options{
		Name: "movies", Prefix: "movies:1:", TTL: 10 * time.Minute, Log: slog.New(slog.DiscardHandler),
		Breaker: breaker.New("redis", breaker.NewMetrics(registry), slog.New(slog.DiscardHandler)),
		Metrics: f.metrics,
	})
	return f
}

var errNone = errors.New("no such movie")

func (f *fixture) read(_ context.Context, ids []string) (map[string]movie, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	found := maps.Clone(f.database)
	maps.DeleteFunc(found, func(id string, _ movie) bool { return !slices.Contains(ids, id) })
	return found, nil
}

func (f *fixture) want(t *testing.T, id string, want movie, reads int) {
	t.Helper()
	got, err := f.One(t.Context(), id, func(ctx context.Context) (movie, error) {
		found, _ := f.read(ctx, []string{id})
		if _, ok := found[id]; !ok {
			return movie{}, errNone
		}
		return found[id], nil
	})
	if (err != nil) != (want == movie{}) || got != want || f.reads != reads {
		t.Errorf("One(%s) = %v, %v after %d reads, want %v after %d", id, got, err, f.reads, want, reads)
	}
}

func (f *fixture) write(t *testing.T, id string, m movie) {
	t.Helper()
	err := f.Write(t.Context(), id, func() error { f.mu.Lock(); defer f.mu.Unlock(); f.database[id] = m; return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func TestOneInstanceReadsForAll(t *testing.T) {
	server := parts.StartRedis(t)
	first, second := newFixture(t, server.Binding(t)), newFixture(t, server.Binding(t))
	first.want(t, "a", movie{"A", 1}, 1)
	first.want(t, "a", movie{"A", 1}, 1)
	second.want(t, "a", movie{"A", 1}, 0)
	second.want(t, "none", movie{}, 1)
	second.want(t, "none", movie{}, 2) // that there is none is not kept
	admin := server.Admin(t)
	if ttl, err := admin.TTL(t.Context(), "movies:1:a").Result(); err != nil || ttl < 9*time.Minute || ttl > 10*time.Minute {
		t.Errorf("TTL = %v, %v, want 10 minutes", ttl, err)
	}
	if got := testutil.ToFloat64(first.metrics.Counter("movies", cache.Hit)); got != 1 {
		t.Errorf("hits of the first = %v, want 1", got)
	}
}

func TestMany(t *testing.T) {
	server := parts.StartRedis(t)
	first, second := newFixture(t, server.Binding(t)), newFixture(t, server.Binding(t))
	first.want(t, "a", movie{"A", 1}, 1)
	for range 2 {
		got, err := second.Many(t.Context(), []string{"a", "b"}, second.read)
		if diff := cmp.Diff(map[string]movie{"a": {"A", 1}, "b": {"B", 2}}, got); err != nil || diff != "" || second.reads != 1 {
			t.Errorf("Many = %v after %d reads, want one for b alone (-want +got):\n%s", err, second.reads, diff)
		}
	}
	broken := errors.New("the database is away")
	fail := func(context.Context, []string) (map[string]movie, error) { return nil, broken }
	if _, err := second.Many(t.Context(), []string{"a", "none"}, fail); !errors.Is(err, broken) {
		t.Errorf("Many = %v, want the database's error", err)
	}
}

// A read that began before a write must not leave the old value for others, whenever it ends.
func TestAReadDuringAWriteIsNotKept(t *testing.T) {
	server := parts.StartRedis(t)
	writer, reader := newFixture(t, server.Binding(t)), newFixture(t, server.Binding(t))
	old, wrote := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(wrote)
		_, err := reader.One(t.Context(), "a", func(context.Context) (movie, error) {
			close(old)
			writer.write(t, "a", movie{"A", 1999})
			return movie{"A", 1}, nil
		})
		if err != nil {
			t.Errorf("One = %v, want nil", err)
		}
	}()
	<-old
	<-wrote
	writer.want(t, "a", movie{"A", 1999}, 1)
	reader.database = writer.database
	reader.want(t, "a", movie{"A", 1999}, 1)
}

func TestWriteThatFailsDropsToo(t *testing.T) {
	f := newFixture(t, parts.StartRedis(t).Binding(t))
	f.want(t, "a", movie{"A", 1}, 1)
	lost := errors.New("the answer was lost")
	err := f.Write(t.Context(), "a", func() error { f.database["a"] = movie{"A", 2}; return lost })
	if !errors.Is(err, lost) {
		t.Errorf("Write = %v, want its error", err)
	}
	f.want(t, "a", movie{"A", 2}, 2)
}

// Redis stopped, hanging, back, and with another password: every read is answered, and soon.
func TestRedisAway(t *testing.T) {
	server := parts.StartRedis(t)
	dir := server.Binding(t)
	f := newHasty(t, dir)
	ask := func(what string, most time.Duration) {
		t.Helper()
		for i := range 200 {
			began := time.Now()
			got, err := f.Many(t.Context(), []string{"a"}, f.read)
			if took := time.Since(began); err != nil || got["a"] != (movie{"A", 1}) || took > most {
				t.Fatalf("read %d while Redis %s = %v, %v after %v, want the movie within %v", i, what, got, err, took, most)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	ask("is well", time.Second)
	server.Pause(t)
	ask("hangs", time.Second)
	server.Resume(t)
	ask("answers again", time.Second)
	server.Stop(t)
	ask("is stopped", time.Second)
	server.Start(t)
	ask("is back", time.Second)
	f.wantHits(t)
	server.Password(t, "changed")
	parts.WriteBinding(t, dir, map[string]string{"password": "changed"})
	ask("has a new password", time.Second)
	f.wantHits(t)
}

// wantHits waits until Redis is asked again and answers.
func (f *fixture) wantHits(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		before := f.reads
		if _, err := f.Many(t.Context(), []string{"a"}, f.read); err == nil && f.reads == before {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("after 30 s: no read is answered by Redis")
		}
	}
}

func TestWhatCannotBeReadIsReadAnew(t *testing.T) {
	server := parts.StartRedis(t)
	f := newFixture(t, server.Binding(t))
	if err := server.Admin(t).Set(t.Context(), "movies:1:a", "{", 0).Err(); err != nil {
		t.Fatal(err)
	}
	f.want(t, "a", movie{"A", 1}, 1)
}

func TestBindingThatIsNotThere(t *testing.T) {
	f := newHasty(t, filepath.Join(t.TempDir(), "redis"))
	for i := range 3 {
		f.want(t, "a", movie{"A", 1}, i+1)
	}
}
