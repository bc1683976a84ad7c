package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"movieexample.com/fleet/services/internal/events"
)

// waiting are events that are not marked as published, with their numbers.
type waiting struct {
	events  []events.Event
	numbers map[string]uint64 // by event id
}

func pending(ctx context.Context, conn *sql.Conn) (waiting, error) {
	list := waiting{numbers: map[string]uint64{}}
	rows, err := conn.QueryContext(ctx, pendingSQL, batchSize)
	if err != nil {
		return list, databaseError{fmt.Errorf("read the outbox: %w", err)}
	}
	defer func() { _ = rows.Close() }() // read to its end, or failed already
	for rows.Next() {
		var number uint64
		var e events.Event
		var before, after sql.NullString
		if err := rows.Scan(&number, &e.ID, &e.Type, &e.Record, &e.Actor, &before, &after, &e.Time, &e.Trace); err != nil {
			return list, databaseError{fmt.Errorf("read the outbox: %w", err)}
		}
		e.Before, e.After = document(before), document(after)
		list.events = append(list.events, e)
		list.numbers[e.ID] = number
	}
	if err := rows.Err(); err != nil {
		return list, databaseError{fmt.Errorf("read the outbox: %w", err)}
	}
	return list, nil
}

func document(s sql.NullString) json.RawMessage {
	if !s.Valid {
		return nil
	}
	return json.RawMessage(s.String)
}

// mark notes that the events with these ids are published.
func (r *Relay) mark(ctx context.Context, conn *sql.Conn, list waiting, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	numbers := make([]uint64, len(ids))
	for i, id := range ids {
		numbers[i] = list.numbers[id]
	}
	text, err := json.Marshal(numbers)
	if err != nil {
		return fmt.Errorf("write the numbers of events: %w", err)
	}
	if _, err := conn.ExecContext(ctx, markSQL, string(text), time.Now().UTC()); err != nil {
		return databaseError{fmt.Errorf("mark events as published: %w", err)}
	}
	return nil
}
