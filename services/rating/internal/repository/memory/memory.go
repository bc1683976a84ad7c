package memory

import (
	"context"
	"sync"
	"time"

	"movieexample.com/fleet/services/rating/internal/model"
)

// Repository is gone with the process. It is safe for concurrent use.
type Repository struct {
	mu         sync.RWMutex
	rows       map[model.Key]model.Row
	aggregates map[model.Record]model.Aggregate
	positions  map[model.Source]int64
	tenures    map[model.Source][]model.Tenure
}

// New is an empty repository.
func New() *Repository {
	return &Repository{
		rows: map[model.Key]model.Row{}, aggregates: map[model.Record]model.Aggregate{}, positions: map[model.Source]int64{},
		tenures: map[model.Source][]model.Tenure{},
	}
}

// Write changes the row and its record's aggregate under one lock.
func (r *Repository) Write(_ context.Context, w model.Write, now time.Time) (model.Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.write(w, now), nil
}

func (r *Repository) write(w model.Write, now time.Time) model.Result {
	var stored *model.Row
	if row, ok := r.rows[w.Key]; ok {
		stored = &row
	}
	result := model.Apply(stored, w, now)
	r.rows[w.Key] = result.Row
	r.aggregates[w.Key.Record] = r.aggregates[w.Key.Record].Plus(result.Change)
	return result
}

// Purge forgets tombstones of deletions that occurred before a time, at most so many.
func (r *Repository) Purge(_ context.Context, before time.Time, most int) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	purged := 0
	for key, row := range r.rows {
		if purged < most && row.Deleted && row.OccurredAt.Before(before) {
			delete(r.rows, key)
			purged++
		}
	}
	return purged, nil
}

// Aggregate is zero for a record that nobody rated.
func (r *Repository) Aggregate(_ context.Context, record model.Record) (model.Aggregate, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.aggregates[record], nil
}

// Aggregates are those of the records of a type that somebody has rated, by their ids.
func (r *Repository) Aggregates(_ context.Context, recordType string, ids []string) (map[string]model.Aggregate, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	found := make(map[string]model.Aggregate, len(ids))
	for _, id := range ids {
		if a := r.aggregates[model.Record{Type: recordType, ID: id}]; a.Count > 0 {
			found[id] = a
		}
	}
	return found, nil
}
