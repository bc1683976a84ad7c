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

// rowsAtOnce keeps a statement below the size that servers take (max_allowed_packet, 16 MiB), however long the ids are. More
// rows would save next to nothing.
const rowsAtOnce = 2000

// batchesAtOnce is how many batches of this process are in the database at once: more of them fight for the same pages there
// and end later, all of them.
const batchesAtOnce = 4

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
	if err := r.turns.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer r.turns.Release(1)
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
	slices.SortFunc(order, func(a, b int) int {
		x, y := &writes[a].Key, &writes[b].Key
		switch { // most are told apart by the first comparison
		case x.Record.ID != y.Record.ID && x.Record.Type == y.Record.Type:
			return strings.Compare(x.Record.ID, y.Record.ID)
		case x.Record != y.Record:
			return strings.Compare(x.Record.Type, y.Record.Type)
		default:
			return cmp.Or(strings.Compare(x.UserID, y.UserID), cmp.Compare(a, b))
		}
	})
	return order
}

// delta is what changes in the aggregate of a record.
type delta struct {
	record model.Record
	change model.Aggregate
}

func apply(ctx context.Context, tx *sql.Tx, writes []model.Write, order []int, now time.Time) ([]model.Outcome, error) {
	outcomes := make([]model.Outcome, len(writes))
	var deltas []delta
	for part := range slices.Chunk(order, rowsAtOnce) {
		before, err := upsert(ctx, tx, writes, part, now)
		if err != nil {
			return nil, err
		}
		for i, at := range part {
			outcomes[at] = before[i].outcome()
			deltas = add(deltas, writes[at].Key.Record, before[i].change(writes[at]))
		}
	}
	return outcomes, changeAggregates(ctx, tx, deltas)
}

// add keeps one delta a record: writes of one record follow each other.
func add(deltas []delta, record model.Record, change model.Aggregate) []delta {
	if last := len(deltas) - 1; last >= 0 && deltas[last].record == record {
		deltas[last].change = deltas[last].change.Plus(change)
		return deltas
	}
	return append(deltas, delta{record, change})
}

// upsert stores those of the writes that order names, in that order, and says what was there before each.
func upsert(ctx context.Context, tx *sql.Tx, writes []model.Write, order []int, now time.Time) ([]found, error) {
	now = now.Truncate(time.Microsecond) // or the server notes for each row that it keeps no more
	rows, err := tx.QueryContext(ctx, upsertRowsSQL, now, now, encodeWrites(writes, order))
	if err != nil {
		return nil, fmt.Errorf("store rows: %w", err)
	}
	defer func() { _ = rows.Close() }() // read to its end, or failed already
	all := make([]found, 0, len(order))
	for rows.Next() {
		var text sql.RawBytes
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("store rows: %w", err)
		}
		before, err := parseFound(text)
		if err != nil {
			return nil, err
		}
		all = append(all, before)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store rows: %w", err)
	}
	if len(all) != len(order) {
		return nil, fmt.Errorf("store rows: the server tells of %d rows, want %d", len(all), len(order))
	}
	return all, nil
}

// changeAggregates adds the changes to the aggregates of their records, which are in their order.
func changeAggregates(ctx context.Context, tx *sql.Tx, deltas []delta) error {
	deltas = slices.DeleteFunc(deltas, func(d delta) bool { return d.change == model.Aggregate{} })
	for part := range slices.Chunk(deltas, rowsAtOnce) {
		if _, err := tx.ExecContext(ctx, changeAggregatesSQL, encodeDeltas(part)); err != nil {
			return fmt.Errorf("change aggregates: %w", err)
		}
	}
	return nil
}
