package layers

import (
	"context"
	"time"

	"movieexample.com/fleet/services/internal/lastknown"
	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/rating/internal/model"
)

// Repository is what each layer wraps and is.
type Repository interface {
	Write(ctx context.Context, w model.Write, now time.Time) (model.Result, error)
	Aggregate(ctx context.Context, record model.Record) (model.Aggregate, error)
	Aggregates(ctx context.Context, recordType string, ids []string) (map[string]model.Aggregate, error)
}

// Guarded fails at once while the database answers nothing but failures.
type Guarded struct {
	next  Repository
	guard *storage.Guard
}

// Guard wraps next.
func Guard(next Repository, guard *storage.Guard) *Guarded { return &Guarded{next: next, guard: guard} }

// Write is that of next.
func (g *Guarded) Write(ctx context.Context, w model.Write, now time.Time) (result model.Result, err error) {
	err = g.guard.Do(ctx, func(ctx context.Context) error { result, err = g.next.Write(ctx, w, now); return err })
	return result, err
}

// Aggregate is that of next.
func (g *Guarded) Aggregate(ctx context.Context, record model.Record) (a model.Aggregate, err error) {
	err = g.guard.Do(ctx, func(ctx context.Context) error { a, err = g.next.Aggregate(ctx, record); return err })
	return a, err
}

// Aggregates is that of next.
func (g *Guarded) Aggregates(ctx context.Context, recordType string, ids []string) (found map[string]model.Aggregate, err error) {
	err = g.guard.Do(ctx, func(ctx context.Context) error { found, err = g.next.Aggregates(ctx, recordType, ids); return err })
	return found, err
}

// Remembered answers reads with the last known aggregates, marked stale, when next fails. That nobody had rated a record is
// not remembered: somebody may have since. Writes fail with next.
type Remembered struct {
	Repository

	last *lastknown.Fallback[model.Record, model.Aggregate]
}

// Remember wraps next.
func Remember(next Repository, o lastknown.Options) (*Remembered, error) {
	last, err := lastknown.New[model.Record](o, model.Aggregate.MarkStale)
	if err != nil {
		return nil, err
	}
	return &Remembered{Repository: next, last: last}, nil
}

// Aggregate is that of next, or the last known one.
func (r *Remembered) Aggregate(ctx context.Context, record model.Record) (model.Aggregate, error) {
	a, err := r.last.One(ctx, record, func(ctx context.Context) (model.Aggregate, error) {
		a, err := r.Repository.Aggregate(ctx, record)
		if err == nil && a.Count == 0 {
			return a, problem.NewNotFound("nobody has rated it") // so that it is forgotten
		}
		return a, err
	})
	if problem.KindOf(err) == problem.NotFound {
		return model.Aggregate{}, nil
	}
	return a, err
}

// Aggregates are those of next, or the last known ones if all are known.
func (r *Remembered) Aggregates(ctx context.Context, recordType string, ids []string) (map[string]model.Aggregate, error) {
	records := make([]model.Record, len(ids))
	for i, id := range ids {
		records[i] = model.Record{Type: recordType, ID: id}
	}
	found, err := r.last.Many(ctx, records, func(ctx context.Context) (map[model.Record]model.Aggregate, error) {
		byID, err := r.Repository.Aggregates(ctx, recordType, ids)
		byRecord := make(map[model.Record]model.Aggregate, len(byID))
		for id, a := range byID {
			byRecord[model.Record{Type: recordType, ID: id}] = a
		}
		return byRecord, err
	})
	if err != nil {
		return nil, err
	}
	byID := make(map[string]model.Aggregate, len(found))
	for record, a := range found {
		byID[record.ID] = a
	}
	return byID, nil
}
