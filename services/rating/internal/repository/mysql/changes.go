package mysql

import (
	"time"

	"movieexample.com/fleet/services/internal/events"
	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/rating/internal/model"
)

// What events are called.
const (
	typePut    = "rating.put"
	typeDelete = "rating.delete"
)

// state is a rating as events show it.
type state struct {
	UserID     string    `json:"userId"`
	Value      int       `json:"value"`
	OccurredAt time.Time `json:"occurredAt"`
}

// change tells of a write that was applied: stored is the row before it, nil if there was none.
func change(stored *model.Row, row model.Row) outbox.Change {
	c := outbox.Change{
		Type: typePut, Record: events.Record(row.Key.Record.Type, row.Key.Record.ID), Subject: row.Key.UserID,
		After: stateOf(row), Time: row.UpdateTime,
	}
	if row.Deleted {
		c.Type = typeDelete
	}
	if stored != nil {
		c.Before = stateOf(*stored)
	}
	return c
}

// stateOf is nil for a tombstone.
func stateOf(row model.Row) any {
	if row.Deleted {
		return nil
	}
	return state{UserID: row.Key.UserID, Value: row.Value, OccurredAt: row.OccurredAt}
}
