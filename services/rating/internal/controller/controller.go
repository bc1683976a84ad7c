package controller

import (
	"context"
	"slices"
	"time"

	"movieexample.com/fleet/services/internal/batch"
	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/validate"
	"movieexample.com/fleet/services/rating/internal/model"
)

// maxAhead is how far a write may lie in the future: clocks of callers differ, but a write of next year would make every
// later one stale.
const maxAhead = 5 * time.Minute

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
	repository  Repository
	recordTypes []string
	now         func() time.Time
}

// New takes the record types that may be rated and the clock.
func New(repository Repository, recordTypes []string, now func() time.Time) *Controller {
	return &Controller{repository: repository, recordTypes: slices.Clone(recordTypes), now: now}
}

// Aggregate is the record's aggregate with a count of at least 1; nobody rated it: NotFound.
func (c *Controller) Aggregate(ctx context.Context, record model.Record) (model.Aggregate, error) {
	var fields validate.Fields
	fields.OneOf("record_type", record.Type, c.recordTypes)
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
	fields.OneOf("record_type", recordType, c.recordTypes)
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
	if err := Check(w, c.recordTypes, now); err != nil {
		return model.Result{}, err
	}
	return c.repository.Write(ctx, w, now)
}

// Check holds a write to the rules that depend on settings and on the clock; all others stand in the proto file.
func Check(w model.Write, recordTypes []string, now time.Time) error {
	var fields validate.Fields
	fields.OneOf("record_type", w.Key.Record.Type, recordTypes)
	if w.OccurredAt.After(now.Add(maxAhead)) {
		fields.Fail("occurred_at", "is %s, more than %s ahead of the service's clock", w.OccurredAt.Format(time.RFC3339), maxAhead)
	}
	if w.OccurredAt.Before(time.Unix(0, 0)) {
		fields.Fail("occurred_at", "is %s, want a time after 1970", w.OccurredAt.Format(time.RFC3339))
	}
	return fields.Err()
}

// microseconds is the precision that is stored: what is finer would differ between two runs of the same comparison.
func microseconds(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
