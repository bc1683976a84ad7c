package memory

import (
	"context"
	"maps"
	"slices"
	"sync"

	"movieexample.com/fleet/services/metadata/internal/model"
)

// Repository is gone with the process. It is safe for concurrent use.
type Repository struct {
	mu   sync.RWMutex
	rows map[string]model.Metadata
}

// New is an empty repository.
func New() *Repository { return &Repository{rows: map[string]model.Metadata{}} }

// Get is the record under id; NotFound if there is none.
func (r *Repository) Get(_ context.Context, id string) (model.Metadata, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	row, ok := r.rows[id]
	if !ok {
		return model.Metadata{}, model.NotFound(id)
	}
	return clone(row), nil
}

// GetMany are the records under those of the ids that have one.
func (r *Repository) GetMany(_ context.Context, ids []string) (map[string]model.Metadata, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	found := make(map[string]model.Metadata, len(ids))
	for _, id := range ids {
		if row, ok := r.rows[id]; ok {
			found[id] = clone(row)
		}
	}
	return found, nil
}

// List sorts all ids each time: this repository holds what fits a laptop.
func (r *Repository) List(_ context.Context, q model.Query) ([]model.Metadata, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var list []model.Metadata
	for _, id := range slices.Sorted(maps.Keys(r.rows)) {
		row := r.rows[id]
		if len(list) < q.Limit && id > q.After && (q.Director == "" || row.Director == q.Director) {
			list = append(list, clone(row))
		}
	}
	return list, nil
}

// Put creates or replaces the record.
func (r *Repository) Put(_ context.Context, m model.Metadata) (model.Metadata, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, ok := r.rows[m.ID]; ok {
		m.CreateTime = before.CreateTime
	}
	r.rows[m.ID] = clone(m)
	return clone(m), nil
}

// clone keeps what callers do to their slice away from what is stored.
func clone(m model.Metadata) model.Metadata {
	m.Actors = slices.Clone(m.Actors)
	return m
}
