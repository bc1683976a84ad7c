package controller

import (
	"context"
	"time"

	"movieexample.com/fleet/services/internal/batch"
	"movieexample.com/fleet/services/metadata/internal/model"
)

// Repository keeps records. Get of one that is not there is a problem of kind NotFound.
type Repository interface {
	Get(ctx context.Context, id string) (model.Metadata, error)
	// GetMany are the records under those of the ids that have one.
	GetMany(ctx context.Context, ids []string) (map[string]model.Metadata, error)
	// List are the records that q asks for, in the order of their ids.
	List(ctx context.Context, q model.Query) ([]model.Metadata, error)
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

// GetMany are the records under ids, and the ids without one; both in the order of ids, each once.
func (c *Controller) GetMany(ctx context.Context, ids []string) (found []model.Metadata, missing []string, err error) {
	ids = batch.Once(ids)
	records, err := c.repository.GetMany(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	found, missing = batch.InOrder(ids, records)
	return found, missing, nil
}

// Put creates or replaces the whole record and returns it as stored. The times in m are ignored.
func (c *Controller) Put(ctx context.Context, m model.Metadata) (model.Metadata, error) {
	now := c.now().UTC().Truncate(time.Microsecond) // databases keep no more
	m.CreateTime, m.UpdateTime = now, now
	return c.repository.Put(ctx, m)
}
