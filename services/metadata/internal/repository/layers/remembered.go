package layers

import (
	"context"

	"movieexample.com/fleet/services/internal/lastknown"
	"movieexample.com/fleet/services/metadata/internal/model"
)

// Remembered answers reads with the last known records, marked stale, when next fails. Lists and writes fail with it.
type Remembered struct {
	Repository

	last *lastknown.Fallback[string, model.Metadata]
}

// Remember wraps next.
func Remember(next Repository, o lastknown.Options) (*Remembered, error) {
	last, err := lastknown.New[string](o, model.Metadata.MarkStale)
	if err != nil {
		return nil, err
	}
	return &Remembered{Repository: next, last: last}, nil
}

// Get is the record of next, or the last known one.
func (r *Remembered) Get(ctx context.Context, id string) (model.Metadata, error) {
	return r.last.One(ctx, id, func(ctx context.Context) (model.Metadata, error) { return r.Repository.Get(ctx, id) })
}

// GetMany are the records of next, or the last known ones if all are known.
func (r *Remembered) GetMany(ctx context.Context, ids []string) (map[string]model.Metadata, error) {
	return r.last.Many(ctx, ids, func(ctx context.Context) (map[string]model.Metadata, error) {
		return r.Repository.GetMany(ctx, ids)
	})
}

// Put remembers what it stored.
func (r *Remembered) Put(ctx context.Context, m model.Metadata) (model.Metadata, error) {
	stored, err := r.Repository.Put(ctx, m)
	if err == nil {
		r.last.Remember(m.ID, stored)
	}
	return stored, err
}
