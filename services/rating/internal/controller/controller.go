package controller

import (
	"context"
	"time"

	"movieexample.com/fleet/services/internal/batch"
	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/validate"
	"movieexample.com/fleet/services/rating/internal/model"
)

// Repository keeps ratings. Write decides by model.Apply and changes the row and its record's aggregate as one.
type Repository interface {
	Write(ctx context.Context, w model.Write, now time.Time) (model.Result, error)
	// Aggregate is zero for a record that nobody rated.
	Aggregate(ctx context.Context, record model.Record) (model.Aggregate, error)
	// Aggregates are those of the records of a type that somebody has rated, by their ids.
	Aggregates(ctx context.Context, recordType string, ids []string) (map[string]model.Aggregate, error)
}

// Controller is safe for concurrent use.
type Controller struct {
	repository Repository
	rules      Rules
	now        func() time.Time
}

// New takes what may be written, and the clock.
func New(repository Repository, rules Rules, now func() time.Time) *Controller {
	return &Controller{repository: repository, rules: rules, now: now}
}

// Aggregate is the record's aggregate with a count of at least 1; nobody rated it: NotFound.
func (c *Controller) Aggregate(ctx context.Context, record model.Record) (model.Aggregate, error) {
	var fields validate.Fields
	c.rules.checkType(&fields, record.Type)
	if err := fields.Err(); err != nil {
		return model.Aggregate{}, err
	}
	aggregate, err := c.repository.Aggregate(ctx, record)
	if err != nil {
		return model.Aggregate{}, err
	}
	if aggregate.Count == 0 {
		return model.Aggregate{}, problem.NewNotFound("nobody has rated %s %q", record.Type, record.ID)
	}
	return aggregate, nil
}

// RecordAggregate is an aggregate and whose it is.
type RecordAggregate struct {
	RecordID string
	model.Aggregate
}

// Aggregates are those of the records of one type, and the ids that nobody has rated; both in the order of ids, each once.
func (c *Controller) Aggregates(
	ctx context.Context, recordType string, ids []string,
) (found []RecordAggregate, missing []string, err error) {
	var fields validate.Fields
	c.rules.checkType(&fields, recordType)
	if err := fields.Err(); err != nil {
		return nil, nil, err
	}
	ids = batch.Once(ids)
	aggregates, err := c.repository.Aggregates(ctx, recordType, ids)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		if a := aggregates[id]; a.Count > 0 {
			found = append(found, RecordAggregate{RecordID: id, Aggregate: a})
			continue
		}
		missing = append(missing, id)
	}
	return found, missing, nil
}

// Put stores a user's rating. A zero time means now.
func (c *Controller) Put(ctx context.Context, key model.Key, value int, occurredAt time.Time) (model.Result, error) {
	return c.write(ctx, model.Write{Key: key, Value: value, OccurredAt: occurredAt})
}

// Delete takes a user's rating back. A zero time means now.
func (c *Controller) Delete(ctx context.Context, key model.Key, occurredAt time.Time) (model.Result, error) {
	return c.write(ctx, model.Write{Key: key, Deleted: true, OccurredAt: occurredAt})
}

func (c *Controller) write(ctx context.Context, w model.Write) (model.Result, error) {
	now := microseconds(c.now())
	if w.OccurredAt.IsZero() {
		w.OccurredAt = now
	}
	w.OccurredAt = microseconds(w.OccurredAt)
	if err := c.rules.Check(w, now); err != nil {
		return model.Result{}, err
	}
	return c.repository.Write(ctx, w, now)
}

// microseconds is the precision that is stored: what is finer would differ between two runs of the same comparison.
func microseconds(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
