package controller

import (
	"context"
	"time"

	"movieexample.com/fleet/services/metadata/internal/model"
)

// Repository keeps records. Get of one that is not there is a problem of kind NotFound.
type Repository interface {
	Get(ctx context.Context, id string) (model.Metadata, error)
	// Put creates or replaces the record and returns it as stored. CreateTime is kept if the record was there.
	Put(ctx context.Context, m model.Metadata) (model.Metadata, error)
}

// Controller is safe for concurrent use.
type Controller struct {
	repository Repository
	now        func() time.Time
}

// New takes the clock that stamps records.
func New(repository Repository, now func() time.Time) *Controller {
	return &Controller{repository: repository, now: now}
}

// Get is the record under id.
func (c *Controller) Get(ctx context.Context, id string) (model.Metadata, error) {
	return c.repository.Get(ctx, id)
}

// Put creates or replaces the whole record and returns it as stored. The times in m are ignored.
func (c *Controller) Put(ctx context.Context, m model.Metadata) (model.Metadata, error) {
	now := c.now().UTC().Truncate(time.Microsecond) // databases keep no more
	m.CreateTime, m.UpdateTime = now, now
	return c.repository.Put(ctx, m)
}
