package mysql

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/rating/internal/model"
)

const (
	// rowsAtOnce is how many rows one statement has: more gain nothing, and the server parses a statement as a whole.
	rowsAtOnce = 1000
)

// Ingest applies all writes, in order, and moves the source from span.From to span.Next, in one transaction. There is one
// outcome for each write. [model.ErrMoved]: the source is not at span.From, and nothing was changed. Nobody is told of the
// changes by the outbox: they are on Kafka already.
//
// Locks are taken in the order of Write, the users' rows before the records' aggregates, and in the order of their keys; the
// position comes first, so that who has lost the partition waits for nothing else and changes nothing.
func (r *Repository) Ingest(ctx context.Context, span model.Span, writes []model.Write, now time.Time) ([]model.Outcome, error) {
	if span.Next <= span.From {
		return nil, fmt.Errorf("ingest: the batch goes from offset %d to %d, want it to move forward", span.From, span.Next)
	}
	order := sorted(writes)
	var outcomes []model.Outcome
	err := storage.InTx(ctx, r.db, func(ctx context.Context, tx *sql.Tx) error {
		if err := move(ctx, tx, span); err != nil {
			return err
		}
		var err error
		outcomes, err = apply(ctx, tx, writes, order, now)
		return err
	})
	if err != nil {
		return nil, storage.Problem(fmt.Errorf("ingest: %w", err))
	}
	return outcomes, nil
}

// sorted are the places of the writes in the order of their keys, those of one key in the order in which they came.
func sorted(writes []model.Write) []int {
	order := make([]int, len(writes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := writes[a].Key, writes[b].Key
		return cmp.Or(compareRecords(x.Record, y.Record), strings.Compare(x.UserID, y.UserID))
	})
	return order
}

func compareRecords(a, b model.Record) int {
	return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.ID, b.ID))
}

func apply(ctx context.Context, tx *sql.Tx, writes []model.Write, order []int, now time.Time) ([]model.Outcome, error) {
	outcomes := make([]model.Outcome, len(writes))
	changes := map[model.Record]model.Aggregate{}
	for part := range slices.Chunk(order, rowsAtOnce) {
		chunk := make([]model.Write, len(part))
		for i, at := range part {
			chunk[i] = writes[at]
		}
		decided, err := upsert(ctx, tx, chunk, now)
		if err != nil {
			return nil, err
		}
		for i, at := range part {
			outcomes[at] = decided[i].outcome()
			record := chunk[i].Key.Record
			changes[record] = changes[record].Plus(decided[i].change(chunk[i]))
		}
	}
	return outcomes, changeAggregates(ctx, tx, changes)
}

// replaced is what the server says of a row that it has written: the value before, or one of the constants.
type replaced int

const (
	noRow     replaced = -3 // NULL to the server
	duplicate replaced = -2
	stale     replaced = -1
	tombstone replaced = 0
)

func (r replaced) outcome() model.Outcome {
	switch r {
	case stale:
		return model.Stale
	case duplicate:
		return model.Duplicate
	default:
		return model.Applied
	}
}

// change is what the write changed in the aggregate of its record.
func (r replaced) change(w model.Write) model.Aggregate {
	if r == stale || r == duplicate {
		return model.Aggregate{}
	}
	change := model.Contribution(w)
	if r > tombstone {
		change = change.Plus(model.Aggregate{Sum: -int64(r), Count: -1})
	}
	return change
}

// upsert writes the rows in their order and says what each replaced.
func upsert(ctx context.Context, tx *sql.Tx, writes []model.Write, now time.Time) ([]replaced, error) {
	args := make([]any, 0, 8*len(writes))
	for _, w := range writes {
		args = append(args, w.Key.Record.Type, w.Key.Record.ID, w.Key.UserID, w.Deleted, w.Value, w.OccurredAt, now, now)
	}
	rows, err := tx.QueryContext(ctx, storage.Values(upsertRowsSQL, len(writes)), args...)
	if err != nil {
		return nil, fmt.Errorf("store rows: %w", err)
	}
	defer func() { _ = rows.Close() }() // read to its end, or failed already
	all := make([]replaced, 0, len(writes))
	for rows.Next() {
		var before sql.Null[replaced]
		if err := rows.Scan(&before); err != nil {
			return nil, fmt.Errorf("store rows: %w", err)
		}
		if !before.Valid {
			before.V = noRow
		}
		all = append(all, before.V)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store rows: %w", err)
	}
	if len(all) != len(writes) {
		return nil, fmt.Errorf("store rows: the server tells of %d rows, want %d", len(all), len(writes))
	}
	return all, nil
}

// changeAggregates adds the changes to the aggregates of their records.
func changeAggregates(ctx context.Context, tx *sql.Tx, changes map[model.Record]model.Aggregate) error {
	records := make([]model.Record, 0, len(changes))
	for record, change := range changes {
		if change != (model.Aggregate{}) {
			records = append(records, record)
		}
	}
	slices.SortFunc(records, compareRecords)
	for part := range slices.Chunk(records, rowsAtOnce) {
		args := make([]any, 0, 4*len(part))
		for _, record := range part {
			args = append(args, record.Type, record.ID, changes[record].Sum, changes[record].Count)
		}
		if _, err := tx.ExecContext(ctx, storage.Values(changeAggregatesSQL, len(part)), args...); err != nil {
			return fmt.Errorf("change aggregates: %w", err)
		}
	}
	return nil
}
