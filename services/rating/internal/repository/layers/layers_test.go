package layers_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"movieexample.com/fleet/services/internal/breaker"
	"movieexample.com/fleet/services/internal/lastknown"
	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/rating/internal/model"
	"movieexample.com/fleet/services/rating/internal/repository/layers"
	"movieexample.com/fleet/services/rating/internal/repository/memory"
	"movieexample.com/fleet/services/rating/internal/repository/repositorytest"
)

// database can be away.
type database struct {
	*memory.Repository

	err error
}

var errAway = problem.NewUnavailable(nil, "the database cannot be reached")

func (d *database) Write(ctx context.Context, w model.Write, now time.Time) (model.Result, error) {
	if d.err != nil {
		return model.Result{}, d.err
	}
	return d.Repository.Write(ctx, w, now)
}

func (d *database) Aggregate(ctx context.Context, record model.Record) (model.Aggregate, error) {
	if d.err != nil {
		return model.Aggregate{}, d.err
	}
	return d.Repository.Aggregate(ctx, record)
}

func (d *database) Aggregates(ctx context.Context, recordType string, ids []string) (map[string]model.Aggregate, error) {
	if d.err != nil {
		return nil, d.err
	}
	return d.Repository.Aggregates(ctx, recordType, ids)
}

func wrap(t *testing.T, next layers.Repository) layers.Repository {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	guarded := layers.Guard(next, storage.NewGuard(breaker.New("database", breaker.NewMetrics(prometheus.NewRegistry()), log)))
	r, err := layers.Remember(guarded, lastknown.Options{
		Dependency: "database", Metrics: lastknown.NewMetrics(prometheus.NewRegistry()), Log: log, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestContract(t *testing.T) {
	repositorytest.Run(t, func(t *testing.T) repositorytest.Repository { return wrap(t, memory.New()) })
}

func rate(t *testing.T, r layers.Repository, id string, value int) {
	t.Helper()
	key := model.Key{Record: model.Record{Type: "movie", ID: id}, UserID: "u"}
	if _, err := r.Write(t.Context(), model.Write{Key: key, Value: value, OccurredAt: time.Unix(1, 0)}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
}

func TestDatabaseAway(t *testing.T) {
	db := &database{Repository: memory.New()}
	r := wrap(t, db)
	one := func(id string, want model.Aggregate, wantErr bool) {
		t.Helper()
		got, err := r.Aggregate(t.Context(), model.Record{Type: "movie", ID: id})
		if got != want || (err != nil) != wantErr || err != nil && problem.KindOf(err) != problem.Unavailable {
			t.Errorf("Aggregate(%s) = %v, %v, want %v", id, got, err, want)
		}
	}
	many := func(ids []string, want map[string]model.Aggregate, wantErr bool) {
		t.Helper()
		got, err := r.Aggregates(t.Context(), "movie", ids)
		if diff := cmp.Diff(want, got); diff != "" || (err != nil) != wantErr {
			t.Errorf("Aggregates(%v) = %v (-want +got):\n%s", ids, err, diff)
		}
	}
	rate(t, r, "a", 4)
	rate(t, r, "b", 5)
	one("a", model.Aggregate{Sum: 4, Count: 1}, false)
	one("none", model.Aggregate{}, false)
	many([]string{"b", "none"}, map[string]model.Aggregate{"b": {Sum: 5, Count: 1}}, false)

	db.err = errAway
	one("a", model.Aggregate{Sum: 4, Count: 1, Stale: true}, false)
	one("none", model.Aggregate{}, true) // somebody may have rated it since
	many([]string{"a", "b"}, map[string]model.Aggregate{"a": {Sum: 4, Count: 1, Stale: true}, "b": {Sum: 5, Count: 1, Stale: true}}, false)
	many([]string{"a", "none"}, nil, true)
	if _, err := r.Write(t.Context(), model.Write{}, time.Now()); problem.KindOf(err) != problem.Unavailable {
		t.Errorf("Write = %v, want Unavailable", err)
	}

	db.err = nil
	one("a", model.Aggregate{Sum: 4, Count: 1}, false)
}
