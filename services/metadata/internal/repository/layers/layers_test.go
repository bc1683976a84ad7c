package layers_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/cache"
	"movieexample.com/fleet/services/internal/lastknown"
	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/metadata/internal/model"
	"movieexample.com/fleet/services/metadata/internal/repository/layers"
	"movieexample.com/fleet/services/metadata/internal/repository/memory"
	"movieexample.com/fleet/services/metadata/internal/repository/repositorytest"
)

func guarded(next layers.Repository) *layers.Guarded {
	log := slog.New(slog.DiscardHandler)
	return layers.Guard(next, storage.NewGuard(breaker.New("database", breaker.NewMetrics(prometheus.NewRegistry()), log)))
}

func cached(t testing.TB, next layers.Repository) *layers.Cached {
	t.Helper()
	c, err := cache.New(cache.Options[model.Metadata]{
		Name: "metadata", Size: 10, TTL: time.Minute, Missing: time.Second, NotFound: model.NotFound,
		Metrics: cache.NewMetrics(prometheus.NewRegistry()), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return layers.Cache(next, c)
}

func remembered(t testing.TB, next layers.Repository) *layers.Remembered {
	t.Helper()
	r, err := layers.Remember(next, lastknown.Options{
		Dependency: "database", Metrics: lastknown.NewMetrics(prometheus.NewRegistry()),
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Each layer alone, and all of them in the service's order, keep the contract of repositories.
func TestContract(t *testing.T) {
	for name, wrap := range map[string]func(t *testing.T, next layers.Repository) layers.Repository{
		"guarded":    func(_ *testing.T, next layers.Repository) layers.Repository { return guarded(next) },
		"cached":     func(t *testing.T, next layers.Repository) layers.Repository { return cached(t, next) },
		"remembered": func(t *testing.T, next layers.Repository) layers.Repository { return remembered(t, next) },
		"all": func(t *testing.T, next layers.Repository) layers.Repository {
			return remembered(t, cached(t, guarded(next)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			repositorytest.Run(t, func(t *testing.T) repositorytest.Repository { return wrap(t, memory.New()) })
		})
	}
}

// database can be away.
type database struct {
	*memory.Repository

	away  atomic.Bool
	reads atomic.Int64
}

var errAway = problem.NewUnavailable(nil, "the database cannot be reached")

func (d *database) Get(ctx context.Context, id string) (model.Metadata, error) {
	d.reads.Add(1)
	if d.away.Load() {
		return model.Metadata{}, errAway
	}
	return d.Repository.Get(ctx, id)
}

func (d *database) GetMany(ctx context.Context, ids []string) (map[string]model.Metadata, error) {
	if d.away.Load() {
		return nil, errAway
	}
	return d.Repository.GetMany(ctx, ids)
}

func (d *database) List(ctx context.Context, q model.Query) ([]model.Metadata, error) {
	if d.away.Load() {
		return nil, errAway
	}
	return d.Repository.List(ctx, q)
}

func (d *database) Put(ctx context.Context, m model.Metadata) (model.Metadata, error) {
	if d.away.Load() {
		return model.Metadata{}, errAway
	}
	return d.Repository.Put(ctx, m)
}

func put(t *testing.T, r layers.Repository, id, title string) {
	t.Helper()
	if _, err := r.Put(t.Context(), model.Metadata{ID: id, Title: title}); err != nil {
		t.Fatal(err)
	}
}

func TestPutDropsWhatIsCached(t *testing.T) {
	db := &database{Repository: memory.New()}
	r := cached(t, db)
	put(t, r, "tt1", "old")
	for i, title := range []string{"old", "old", "new", "new"} {
		if i == 2 {
			put(t, r, "tt1", "new")
		}
		if got, err := r.Get(t.Context(), "tt1"); err != nil || got.Title != title {
			t.Errorf("Get %d = %q, %v, want %q", i, got.Title, err, title)
		}
	}
	if got := db.reads.Load(); got != 2 {
		t.Errorf("%d reads of the database, want one before and one after the second Put", got)
	}
}

func TestDatabaseAway(t *testing.T) {
	db := &database{Repository: memory.New()}
	r := remembered(t, guarded(db))
	put(t, r, "seen", "T")
	put(t, db.Repository, "unseen", "T")
	db.away.Store(true)

	want := model.Metadata{ID: "seen", Title: "T", Stale: true}
	got, err := r.Get(t.Context(), "seen")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Get of what was put here = %v (-want +got):\n%s", err, diff)
	}
	many, err := r.GetMany(t.Context(), []string{"seen"})
	if diff := cmp.Diff(map[string]model.Metadata{"seen": want}, many); err != nil || diff != "" {
		t.Errorf("GetMany of what was put here = %v (-want +got):\n%s", err, diff)
	}
	_, unseen := r.Get(t.Context(), "unseen")
	_, mixed := r.GetMany(t.Context(), []string{"seen", "unseen"})
	_, list := r.List(t.Context(), model.Query{Limit: 1})
	_, write := r.Put(t.Context(), model.Metadata{ID: "seen", Title: "lost"})
	for what, err := range map[string]error{"Get": unseen, "GetMany": mixed, "List": list, "Put": write} {
		if problem.KindOf(err) != problem.Unavailable {
			t.Errorf("%s of what is not known = %v, want Unavailable", what, err)
		}
	}
	if got, err := r.Get(t.Context(), "seen"); err != nil || got.Title != "T" {
		t.Errorf("Get after a Put that failed = %v, %v, want what was stored before", got, err)
	}

	db.away.Store(false)
	if got, err := r.Get(t.Context(), "seen"); err != nil || got.Stale {
		t.Errorf("Get when the database is back = %v, %v, want it fresh", got, err)
	}
}

func BenchmarkCachedGet(b *testing.B) {
	r := remembered(b, cached(b, guarded(memory.New())))
	if _, err := r.Put(b.Context(), model.Metadata{ID: "tt1", Title: "T", Actors: []string{"A", "B"}}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Get(b.Context(), "tt1"); err != nil {
			b.Fatal(err)
		}
	}
}
