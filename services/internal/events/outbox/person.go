package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"movieexample.com/fleet/services/internal/events"
	"movieexample.com/fleet/services/internal/storage"
)

// page is how many rows about a person are read or changed at once.
const page = 500

// Told is an event in the database, and when it was published; nil while it waits.
type Told struct {
	events.Event

	Published *time.Time

	number uint64
}

// About calls each with what the database's events tell about a person, in their order.
func About(ctx context.Context, db *sql.DB, subject string, each func(Told) error) error {
	for last := uint64(0); ; {
		list, err := about(ctx, db, subject, last)
		if err != nil {
			return fmt.Errorf("read a person's events: %w", err)
		}
		for _, e := range list {
			if err := each(e); err != nil {
				return err
			}
			last = e.number
		}
		if len(list) < page {
			return nil
		}
	}
}

func about(ctx context.Context, db *sql.DB, subject string, after uint64) ([]Told, error) {
	rows, err := db.QueryContext(ctx, aboutSQL, subject, after, page)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // read to its end, or failed already
	var list []Told
	for rows.Next() {
		var e Told
		var before, after sql.NullString
		if err := rows.Scan(&e.number, &e.ID, &e.Type, &e.Record, &e.Actor, &before, &after, &e.Time, &e.Published); err != nil {
			return nil, err
		}
		e.Before, e.After = document(before), document(after)
		list = append(list, e)
	}
	return list, rows.Err()
}

// CountAbout is how many events in the database tell about a person.
func CountAbout(ctx context.Context, db *sql.DB, subject string) (n int64, err error) {
	if err := db.QueryRowContext(ctx, countAboutSQL, subject).Scan(&n); err != nil {
		return 0, fmt.Errorf("count a person's events: %w", err)
	}
	return n, nil
}

// Erase takes out of the events in the database what they tell about a person, and says how many there were. Those that
// were published are out of reach: the topic's retention ends them.
func Erase(ctx context.Context, db *sql.DB, subject string) (erased int64, err error) {
	for {
		var n int64
		err := storage.InTx(ctx, db, func(ctx context.Context, tx *sql.Tx) error {
			result, err := tx.ExecContext(ctx, eraseSQL, subject, page)
			if err != nil {
				return err
			}
			n, err = result.RowsAffected()
			return err
		})
		if err != nil {
			return erased, fmt.Errorf("erase a person's events: %w", err)
		}
		if erased += n; n < page {
			return erased, nil
		}
	}
}
