package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/semaphore"

	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/rating/internal/model"
)

// Repository is safe for concurrent use, by many processes at once.
type Repository struct {
	db     *sql.DB
	outbox *outbox.Outbox // nil if nobody is told of changes
	turns  *semaphore.Weighted
}

// New takes a pool from storage.Open.
func New(db *sql.DB) *Repository { return NewTelling(db, nil) }

// NewTelling is a repository that writes each change into the outbox too.
func NewTelling(db *sql.DB, o *outbox.Outbox) *Repository {
	return &Repository{db: db, outbox: o, turns: semaphore.NewWeighted(batchesAtOnce)}
}

// Write changes the row and its record's aggregate in one transaction. Locks are taken in one order, the user's row before
// the record's aggregate, and the aggregate, which all writers of a record share, is held only until the commit that follows.
func (r *Repository) Write(ctx context.Context, w model.Write, now time.Time) (model.Result, error) {
	var result model.Result
	err := storage.InTx(ctx, r.db, func(ctx context.Context, tx *sql.Tx) error {
		stored, err := lockRow(ctx, tx, w.Key)
		if err != nil {
			return err
		}
		result = model.Apply(stored, w, now)
		if result.Outcome != model.Applied {
			return nil
		}
		if err := store(ctx, tx, stored, result); err != nil {
			return err
		}
		return r.outbox.Add(ctx, tx, change(stored, result.Row)) // last: the aggregate's lock keeps events in order
	})
	if err != nil {
		return model.Result{}, storage.Problem(fmt.Errorf("write rating: %w", err))
	}
	r.outbox.Committed()
	return result, nil
}

// lockRow is nil if there is no row.
func lockRow(ctx context.Context, tx *sql.Tx, key model.Key) (*model.Row, error) {
	row := model.Row{Write: model.Write{Key: key}}
	err := tx.QueryRowContext(ctx, lockRowSQL, key.Record.Type, key.Record.ID, key.UserID).
		Scan(&row.Deleted, &row.Value, &row.OccurredAt, &row.CreateTime, &row.UpdateTime)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock row: %w", err)
	}
	return &row, nil
}

// store is for one row what Ingest is for many, by the same statements. The server decides once more, by what is there now.
func store(ctx context.Context, tx *sql.Tx, stored *model.Row, result model.Result) error {
	before, err := upsert(ctx, tx, []model.Write{result.Row.Write}, []int{0}, result.Row.UpdateTime)
	if err != nil {
		return err
	}
	if (stored == nil) != (before[0] == noRow) || before[0].outcome() != model.Applied {
		return fmt.Errorf("store row: %w", storage.ErrRaced) // made since lockRow looked: look again
	}
	return changeAggregates(ctx, tx, []delta{{result.Row.Key.Record, result.Change}})
}

// Aggregate is zero for a record that nobody rated.
func (r *Repository) Aggregate(ctx context.Context, record model.Record) (model.Aggregate, error) {
	var a model.Aggregate
	err := r.db.QueryRowContext(ctx, readAggregateSQL, record.Type, record.ID).Scan(&a.Sum, &a.Count)
	if errors.Is(err, sql.ErrNoRows) {
		return model.Aggregate{}, nil
	}
	if err != nil {
		return model.Aggregate{}, storage.Problem(fmt.Errorf("read aggregate: %w", err))
	}
	return a, nil
}

// Aggregates are those of the records of a type that somebody has rated, by their ids.
func (r *Repository) Aggregates(ctx context.Context, recordType string, ids []string) (map[string]model.Aggregate, error) {
	if len(ids) == 0 {
		return map[string]model.Aggregate{}, nil
	}
	found, err := r.aggregates(ctx, storage.In(readAggregatesSQL, len(ids)), append([]any{recordType}, storage.Args(ids)...))
	if err != nil {
		return nil, storage.Problem(fmt.Errorf("read aggregates: %w", err))
	}
	return found, nil
}

func (r *Repository) aggregates(ctx context.Context, statement string, args []any) (map[string]model.Aggregate, error) {
	rows, err := r.db.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	found := map[string]model.Aggregate{}
	for rows.Next() {
		var id string
		var a model.Aggregate
		if err := rows.Scan(&id, &a.Sum, &a.Count); err != nil {
			return nil, err
		}
		found[id] = a
	}
	return found, rows.Err()
}
