package layers

import (
	"context"

	"movieexample.com/fleet/services/internal/cache"
	"movieexample.com/fleet/services/internal/cache/shared"
	"movieexample.com/fleet/services/metadata/internal/model"
)

// Cached reads through a cache in the process. Lists are not cached.
type Cached struct {
	Repository

	cache *cache.Cache[model.Metadata]
}

// Cache wraps next.
func Cache(next Repository, c *cache.Cache[model.Metadata]) *Cached {
	return &Cached{Repository: next, cache: c}
}

// Get is the cached record, else that of next.
func (c *Cached) Get(ctx context.Context, id string) (model.Metadata, error) {
	return c.cache.One(ctx, id, func(ctx context.Context) (model.Metadata, error) { return c.Repository.Get(ctx, id) })
}

// GetMany are the cached records and those of next.
func (c *Cached) GetMany(ctx context.Context, ids []string) (map[string]model.Metadata, error) {
	return c.cache.Many(ctx, ids, c.Repository.GetMany)
}

// Put drops the cached record, whether or not the write is known to have happened. Other processes see the new one when
// their TTL is over.
func (c *Cached) Put(ctx context.Context, m model.Metadata) (model.Metadata, error) {
	defer c.cache.Drop(m.ID)
	return c.Repository.Put(ctx, m)
}

// Shared reads through a cache that all instances have in common. Lists are not cached.
type Shared struct {
	Repository

	store *shared.Store[model.Metadata]
}

// Share wraps next.
func Share(next Repository, s *shared.Store[model.Metadata]) *Shared {
	return &Shared{Repository: next, store: s}
}

// Get is the cached record, else that of next.
func (s *Shared) Get(ctx context.Context, id string) (model.Metadata, error) {
	return s.store.One(ctx, id, func(ctx context.Context) (model.Metadata, error) { return s.Repository.Get(ctx, id) })
}

// GetMany are the cached records and those of next.
func (s *Shared) GetMany(ctx context.Context, ids []string) (map[string]model.Metadata, error) {
	return s.store.Many(ctx, ids, s.Repository.GetMany)
}

// Put takes the record out of the cache while it is written.
func (s *Shared) Put(ctx context.Context, m model.Metadata) (stored model.Metadata, err error) {
	err = s.store.Write(ctx, m.ID, func() error { stored, err = s.Repository.Put(ctx, m); return err })
	return stored, err
}
