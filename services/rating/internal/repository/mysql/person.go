package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"movieexample.com/fleet/services/internal/events"
	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/rating/internal/model"
)

const (
	exportPage = 500
	// eraseBatch bounds how long one transaction holds the aggregates of its records, for which other users wait.
	eraseBatch = 100
)

// Known is how much the database knows of one user.
type Known struct {
	Ratings    int64
	Tombstones int64 // ratings that the user took back, not forgotten yet
	Events     int64 // in the outbox
}

// Plus adds up.
func (k Known) Plus(o Known) Known {
	return Known{Ratings: k.Ratings + o.Ratings, Tombstones: k.Tombstones + o.Tombstones, Events: k.Events + o.Events}
}

// Count is what Export shows and Erase removes.
func (r *Repository) Count(ctx context.Context, user string) (k Known, err error) {
	if err := r.db.QueryRowContext(ctx, countUserSQL, user).Scan(&k.Ratings, &k.Tombstones); err != nil {
		return k, storage.Problem(fmt.Errorf("count a user's ratings: %w", err))
	}
	k.Events, err = outbox.CountAbout(ctx, r.db, user)
	return k, storage.Problem(err)
}

// Export calls rating with each row of the user, tombstones too, in the order of the records, and then event with what the
// outbox tells of the user. It holds one page at a time, and no lock.
func (r *Repository) Export(ctx context.Context, user string, rating func(model.Row) error, event func(outbox.Told) error) error {
	for last := (model.Record{}); ; {
		rows, err := r.exportPage(ctx, user, last)
		if err != nil {
			return storage.Problem(fmt.Errorf("export a user's ratings: %w", err))
		}
		for _, row := range rows {
			if err := rating(row); err != nil {
				return err
			}
			last = row.Key.Record
		}
		if len(rows) < exportPage {
			return storage.Problem(outbox.About(ctx, r.db, user, event))
		}
	}
}

func (r *Repository) exportPage(ctx context.Context, user string, after model.Record) ([]model.Row, error) {
	rows, err := r.db.QueryContext(ctx, exportSQL, user, after.Type, after.Type, after.ID, exportPage)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // read to its end, or failed already
	var list []model.Row
	for rows.Next() {
		row := model.Row{Write: model.Write{Key: model.Key{UserID: user}}}
		if err := rows.Scan(&row.Key.Record.Type, &row.Key.Record.ID, &row.Deleted, &row.Value,
			&row.OccurredAt, &row.CreateTime, &row.UpdateTime); err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

// Erase removes the user's ratings and tombstones, and what the outbox tells of the user. Aggregates are right at every
// moment, and others are told that they changed, without a word about whose ratings are gone. What was erased before a
// failure stays erased: run it again. It is safe beside any writer; what the user writes meanwhile may stay.
func (r *Repository) Erase(ctx context.Context, user string, now time.Time) (Known, error) {
	var all Known
	for {
		erased, err := r.eraseBatch(ctx, user, now)
		if err != nil {
			return all, storage.Problem(fmt.Errorf("erase a user's ratings: %w", err))
		}
		r.outbox.Committed()
		all = all.Plus(erased)
		if erased.Ratings+erased.Tombstones < eraseBatch {
			break
		}
	}
	var err error
	all.Events, err = outbox.Erase(ctx, r.db, user)
	return all, storage.Problem(err)
}

// eraseBatch takes its locks in the order of Write: the user's rows before the records' aggregates.
func (r *Repository) eraseBatch(ctx context.Context, user string, now time.Time) (Known, error) {
	var erased Known
	err := storage.InTx(ctx, r.db, func(ctx context.Context, tx *sql.Tx) error {
		erased = Known{}
		rows, err := lockUser(ctx, tx, user)
		if err != nil {
			return err
		}
		for _, w := range rows {
			if _, err := tx.ExecContext(ctx, deleteRowSQL, w.Key.Record.Type, w.Key.Record.ID, user); err != nil {
				return fmt.Errorf("delete row: %w", err)
			}
		}
		var gone []delta
		for _, w := range rows {
			if w.Deleted {
				erased.Tombstones++
				continue
			}
			gone = append(gone, delta{w.Key.Record, model.Aggregate{Sum: -int64(w.Value), Count: -1}})
		}
		erased.Ratings = int64(len(gone))
		return r.subtract(ctx, tx, gone, now)
	})
	return erased, err
}

func lockUser(ctx context.Context, tx *sql.Tx, user string) ([]model.Write, error) {
	rows, err := tx.QueryContext(ctx, lockUserSQL, user, eraseBatch)
	if err != nil {
		return nil, fmt.Errorf("lock rows: %w", err)
	}
	defer func() { _ = rows.Close() }() // read to its end, or failed already
	var list []model.Write
	for rows.Next() {
		w := model.Write{Key: model.Key{UserID: user}}
		if err := rows.Scan(&w.Key.Record.Type, &w.Key.Record.ID, &w.Deleted, &w.Value); err != nil {
			return nil, fmt.Errorf("lock rows: %w", err)
		}
		list = append(list, w)
	}
	return list, rows.Err()
}

// subtract takes ratings out of their records' aggregates, and tells of them as of some whose user is not known.
func (r *Repository) subtract(ctx context.Context, tx *sql.Tx, gone []delta, now time.Time) error {
	if err := changeAggregates(ctx, tx, gone); err != nil {
		return err
	}
	for _, d := range gone {
		told := outbox.Change{Type: typeDelete, Record: events.Record(d.record.Type, d.record.ID), Time: now}
		if err := r.outbox.Add(ctx, tx, told); err != nil {
			return err
		}
	}
	return nil
}
