package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/events"
)

// Change is what a service tells about a change that it makes.
type Change struct {
	Type   string // what is done, such as rating.put
	Record string // what is changed, by events.Record
	// Subject is the person whom the event is about, "" if there is none: whoever erases the person finds the event by it.
	Subject string
	// Before and After are written as JSON; nil for a record that was not there, or is not any more.
	Before, After any
	Time          time.Time
}

// Outbox takes changes into the database. A nil one takes none: nobody is to be told of changes. It is safe for
// concurrent use.
type Outbox struct {
	wake chan struct{} // for the relay of this process
}

// New makes an outbox.
func New() *Outbox { return &Outbox{wake: make(chan struct{}, 1)} }

// Add writes the change in the transaction that makes it: there is an event if and only if there is the change. Call it
// after the record's row is locked: then events of one record have their numbers in the order of the commits.
func (o *Outbox) Add(ctx context.Context, tx *sql.Tx, c Change) error {
	if o == nil {
		return nil
	}
	id, err := uuid.NewV7() // in order of time, for people who read the events
	if err != nil {
		return fmt.Errorf("make the event's id: %w", err)
	}
	before, err := state(c.Before)
	if err != nil {
		return err
	}
	after, err := state(c.After)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, insertSQL, id.String(), c.Type, c.Record, auth.Subject(ctx), c.Subject, before, after, c.Time,
		events.TraceOf(ctx)); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}

// state is NULL for nil.
func state(s any) (sql.NullString, error) {
	if s == nil {
		return sql.NullString{}, nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return sql.NullString{}, fmt.Errorf("write a state of the record: %w", err)
	}
	return sql.NullString{String: string(text), Valid: true}, nil
}

// Committed tells the relay of this process that there is something to do, so that it need not wait for its next look.
func (o *Outbox) Committed() {
	if o == nil {
		return
	}
	select {
	case o.wake <- struct{}{}:
	default: // it has been told and has not looked yet
	}
}
