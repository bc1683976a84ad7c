package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"movieexample.com/fleet/services/internal/events"
	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/metadata/internal/model"
)

// typePut is the event of a record that was created or replaced.
const typePut = "metadata.put"

// state is a record as events show it.
type state struct {
	Title       string    `json:"title"`
	Description string    `json:"description,omitempty"`
	Director    string    `json:"director,omitempty"`
	Year        int       `json:"year,omitempty"`
	Actors      []string  `json:"actors,omitempty"`
	CreateTime  time.Time `json:"createTime"`
	UpdateTime  time.Time `json:"updateTime"`
}

func stateOf(m model.Metadata) state {
	return state{
		Title: m.Title, Description: m.Description, Director: m.Director, Year: m.Year, Actors: m.Actors,
		CreateTime: m.CreateTime, UpdateTime: m.UpdateTime,
	}
}

// before is the record that a change replaces, locked until the change is made; nil if there is none, or nobody is told.
func (r *Repository) before(ctx context.Context, tx *sql.Tx, id string) (*model.Metadata, error) {
	if r.outbox == nil {
		return nil, nil
	}
	err := tx.QueryRowContext(ctx, lockSQL, id).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock metadata: %w", err)
	}
	m, err := get(ctx, tx, id)
	return &m, err
}

// tell writes the event of a put, whose row is locked. A record that was made since before looked has another time of
// creation than this put gave it: look again.
func (r *Repository) tell(ctx context.Context, tx *sql.Tx, put model.Metadata, before *model.Metadata, stored model.Metadata) error {
	if r.outbox == nil {
		return nil
	}
	c := outbox.Change{Type: typePut, Record: events.Record("movie", put.ID), After: stateOf(stored), Time: stored.UpdateTime}
	switch {
	case before != nil:
		c.Before = stateOf(*before)
	case !stored.CreateTime.Equal(put.CreateTime):
		return fmt.Errorf("tell of the change: %w", storage.ErrRaced)
	}
	return r.outbox.Add(ctx, tx, c)
}
