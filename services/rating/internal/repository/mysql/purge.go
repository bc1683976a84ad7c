package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"movieexample.com/fleet/services/internal/storage"
)

// Purge forgets tombstones of deletions that occurred before a time, the oldest first and at most so many. It is 0 if
// another process is at it. Aggregates are not touched: a deletion adds nothing to them.
func (r *Repository) Purge(ctx context.Context, before time.Time, most int) (int, error) {
	var purged int64
	// It is in a transaction of its own and not over the lock's connection: a writer of the same row may be in its way, and
	// then it is run again. That two are at it after a lost connection does no harm.
	_, err := storage.Alone(ctx, r.db, "tombstones", func(ctx context.Context, _ *sql.Conn) error {
		return storage.InTx(ctx, r.db, func(ctx context.Context, tx *sql.Tx) error {
			result, err := tx.ExecContext(ctx, purgeSQL, before, most)
			if err != nil {
				return err
			}
			purged, err = result.RowsAffected()
			return err
		})
	})
	if err != nil {
		return 0, storage.Problem(fmt.Errorf("purge tombstones: %w", err))
	}
	return int(purged), nil
}
