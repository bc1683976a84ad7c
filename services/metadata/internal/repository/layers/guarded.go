package layers

import (
	"context"

	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/metadata/internal/model"
)

// Guarded fails at once while the database answers nothing but failures.
type Guarded struct {
	next  Repository
	guard *storage.Guard
}

// Guard wraps next.
func Guard(next Repository, guard *storage.Guard) *Guarded { return &Guarded{next: next, guard: guard} }

// Get is that of next.
func (g *Guarded) Get(ctx context.Context, id string) (m model.Metadata, err error) {
	err = g.guard.Do(ctx, func(ctx context.Context) error { m, err = g.next.Get(ctx, id); return err })
	return m, err
}

// GetMany is that of next.
func (g *Guarded) GetMany(ctx context.Context, ids []string) (found map[string]model.Metadata, err error) {
	err = g.guard.Do(ctx, func(ctx context.Context) error { found, err = g.next.GetMany(ctx, ids); return err })
	return found, err
}

// List is that of next.
func (g *Guarded) List(ctx context.Context, q model.Query) (list []model.Metadata, err error) {
	err = g.guard.Do(ctx, func(ctx context.Context) error { list, err = g.next.List(ctx, q); return err })
	return list, err
}

// Put is that of next.
func (g *Guarded) Put(ctx context.Context, m model.Metadata) (stored model.Metadata, err error) {
	err = g.guard.Do(ctx, func(ctx context.Context) error { stored, err = g.next.Put(ctx, m); return err })
	return stored, err
}
