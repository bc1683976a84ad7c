package controller

import (
	"context"
	"fmt"
	"time"

	"movieexample.com/fleet/services/internal/validate"
	"movieexample.com/fleet/services/metadata/internal/model"
)

// Bounds of the fields, in characters. Database columns rely on them.
const (
	maxName        = 255
	maxDescription = 8192
	maxActors      = 100
	minYear        = 1870 // before the first film that is known
	maxYear        = 2200
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
	var fields validate.Fields
	fields.ID("movie_id", id)
	if err := fields.Err(); err != nil {
		return model.Metadata{}, err
	}
	return c.repository.Get(ctx, id)
}

// Put creates or replaces the whole record and returns it as stored. The times in m are ignored.
func (c *Controller) Put(ctx context.Context, m model.Metadata) (model.Metadata, error) {
	if err := check(m); err != nil {
		return model.Metadata{}, err
	}
	now := c.now().UTC().Truncate(time.Microsecond) // databases keep no more
	m.CreateTime, m.UpdateTime = now, now
	return c.repository.Put(ctx, m)
}

func check(m model.Metadata) error {
	var fields validate.Fields
	fields.ID("metadata.id", m.ID)
	fields.Text("metadata.title", m.Title, 1, maxName)
	fields.Text("metadata.description", m.Description, 0, maxDescription)
	fields.Text("metadata.director", m.Director, 0, maxName)
	if m.Year != 0 {
		fields.Range("metadata.year", m.Year, minYear, maxYear)
	}
	if len(m.Actors) > maxActors {
		fields.Fail("metadata.actors", "has %d names, want at most %d", len(m.Actors), maxActors)
		return fields.Err()
	}
	for i, actor := range m.Actors {
		fields.Text(fmt.Sprintf("metadata.actors[%d]", i), actor, 1, maxName)
	}
	return fields.Err()
}
