package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"movieexample.com/fleet/services/internal/transaction"
)

// maxAttempts bounds how often a transaction is run again: many writers of one row get through well before it, and
// a caller waits no longer than its own deadline anyway.
const maxAttempts = 10

// ErrRaced is for a transaction that found a row made by another one between its statements: wrap it to be run again.
var ErrRaced = errors.New("another transaction was faster")

// InTx is the one way to a transaction. It runs fn at READ COMMITTED and commits if fn returns nil. Deadlock (1213), lock
// timeout (1205) and ErrRaced roll back and run fn again, so fn must set what it returns anew each time; no call
// over the network but to this database belongs into it, and clients of other servers refuse fn's context.
func InTx(ctx context.Context, db *sql.DB, fn func(ctx context.Context, tx *sql.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := once(ctx, db, fn)
		if err == nil || !again(err) {
			return err
		}
		if attempt == maxAttempts {
			return fmt.Errorf("gave up after %d attempts: %w", attempt, err)
		}
		if err := pause(ctx, backoff(attempt)); err != nil {
			return err
		}
	}
}

func once(ctx context.Context, db *sql.DB, fn func(ctx context.Context, tx *sql.Tx) error) error {
	// READ COMMITTED: a row that was waited for is read as the other transaction left it, and searching takes no gap locks.
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := fn(transaction.Mark(ctx), tx); err != nil {
		if rollback := tx.Rollback(); rollback != nil && !errors.Is(rollback, sql.ErrTxDone) {
			return errors.Join(err, fmt.Errorf("roll back: %w", rollback))
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// backoff is 1 ms, 2 ms, 4 ms, … up to 64 ms, each drawn from its upper half so that rivals part.
func backoff(attempt int) time.Duration {
	longest := time.Millisecond << min(attempt-1, 6)
	return longest/2 + rand.N(longest/2+1) //nolint:gosec // spreads load, guards nothing
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
