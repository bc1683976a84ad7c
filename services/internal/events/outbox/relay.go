package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"movieexample.com/fleet/services/internal/broker"
	"movieexample.com/fleet/services/internal/events"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/internal/telemetry"
)

const (
	lockName  = "outbox"
	batchSize = 500
	// publishTime bounds one batch; a service that stops waits for it.
	publishTime = 5 * time.Second
	// lookEvery is how soon what another instance wrote is seen.
	lookEvery = 500 * time.Millisecond
	// candidacy is how often an instance that does not publish tries to: the pause when the one that does dies.
	candidacy = 2 * time.Second
	// term is how long an instance publishes before it lets others try. A connection is not kept longer, whatever its credentials.
	term = time.Minute
	// measureEvery and purgeEvery bound what looking after the table costs.
	measureEvery = 5 * time.Second
	purgeEvery   = time.Minute
	purgeSize    = 1000
	// backlogBound is how far the backlog is counted.
	backlogBound = 100_000
	shortestWait = 250 * time.Millisecond
	longestWait  = 5 * time.Second
	// logEvery bounds log lines while publishing fails.
	logEvery = time.Minute
)

// Relay publishes what is in the outbox. Any number of instances run one; the database's lock lets one of them publish at
// a time. Events of one record are published in order, each at least once: one that was published is published again if
// its mark was lost, when the process or its connection to the database ends in between.
type Relay struct {
	db        *sql.DB
	outbox    *Outbox
	publisher events.Publisher
	retention time.Duration
	metrics   *metrics
	log       *slog.Logger

	measured, purged time.Time
	reason           string // of the failure that lasts, "" if none does
	logged           time.Time
}

// errWaiting means that another instance publishes.
var errWaiting = errors.New("another instance publishes")

// Run works until ctx ends; what it is publishing then, it finishes. Nothing that is away ends it.
func (r *Relay) Run(ctx context.Context) error {
	wait := shortestWait
	for ctx.Err() == nil {
		r.measure(ctx)
		switch err := r.serve(ctx); {
		case ctx.Err() != nil, err == nil:
			wait = shortestWait
		case errors.Is(err, errWaiting):
			r.sleep(ctx, candidacy)
		default:
			r.failed(ctx, err)
			r.sleep(ctx, wait)
			wait = min(2*wait, longestWait)
		}
	}
	return nil
}

// sleep ends early when ctx does.
func (r *Relay) sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// serve publishes for one term, if no other instance does.
func (r *Relay) serve(ctx context.Context) error {
	var failure error // of the work itself: what is wrong with the database is known by it
	ran, err := storage.Alone(ctx, r.db, lockName, func(ctx context.Context, conn *sql.Conn) error {
		failure = r.term(ctx, conn)
		return failure
	})
	switch {
	case failure != nil:
		return failure
	case err != nil:
		return databaseError{err}
	case !ran:
		return errWaiting
	}
	return nil
}

func (r *Relay) term(ctx context.Context, conn *sql.Conn) error {
	for end := time.Now().Add(term); time.Now().Before(end) && ctx.Err() == nil; {
		n, err := r.batch(ctx, conn)
		if err != nil {
			return err
		}
		r.succeeded(ctx)
		r.measure(ctx)
		if err := r.purge(ctx, conn); err != nil {
			return err
		}
		if n < batchSize {
			r.idle(ctx)
		}
	}
	return nil
}

// batch publishes the next events and marks them. It is done with those that it has begun even if ctx ends.
func (r *Relay) batch(ctx context.Context, conn *sql.Conn) (int, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTime)
	defer cancel()
	list, err := pending(ctx, conn)
	if err != nil || len(list.events) == 0 {
		return 0, err
	}
	stored, failure := r.publisher.Publish(ctx, list.events)
	r.metrics.published.Add(float64(len(stored)))
	if err := r.mark(ctx, conn, list, stored); err != nil {
		return 0, errors.Join(failure, err)
	}
	return len(list.events), failure
}

// idle waits for a change of this process, or long enough that another one may have made some.
func (r *Relay) idle(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-r.outbox.wake:
	case <-time.After(lookEvery):
	}
}

// databaseError marks what failed here and not on the way to subscribers.
type databaseError struct{ error }

func (e databaseError) Unwrap() error { return e.error }

const reasonDatabase = "database"

func reasonOf(err error) string {
	if _, ok := errors.AsType[databaseError](err); ok {
		return reasonDatabase
	}
	return broker.Reason(err)
}

func adviceOn(reason string) string {
	if reason == reasonDatabase {
		return "the service's database must be reachable and migrated"
	}
	return broker.Advice(reason)
}

func (r *Relay) failed(ctx context.Context, err error) {
	before := r.reason
	r.reason = reasonOf(err)
	r.metrics.failures.WithLabelValues(r.reason).Inc()
	if r.reason == before && time.Since(r.logged) < logEvery {
		return
	}
	r.logged = time.Now()
	r.log.WarnContext(ctx, "Changes are kept in the outbox: they cannot be published",
		"reason", r.reason, "advice", adviceOn(r.reason), telemetry.KeyError, err)
}

func (r *Relay) succeeded(ctx context.Context) {
	if r.reason != "" {
		r.log.InfoContext(ctx, "Changes are published again", "reason_before", r.reason)
	}
	r.reason = ""
}

// measure tells how much waits, whoever publishes. What it last told stays while the database is away.
func (r *Relay) measure(ctx context.Context) {
	if time.Since(r.measured) < measureEvery {
		return
	}
	r.measured = time.Now()
	var waiting, microseconds int64
	if err := r.db.QueryRowContext(ctx, backlogSQL, backlogBound).Scan(&waiting, &microseconds); err != nil {
		return // publishing fails too, and says so
	}
	r.metrics.backlog.Set(float64(waiting))
	r.metrics.oldest.Set((time.Duration(microseconds) * time.Microsecond).Seconds())
}

// purge deletes what was published long enough ago, a bounded part at a time.
func (r *Relay) purge(ctx context.Context, conn *sql.Conn) error {
	now := time.Now()
	if now.Sub(r.purged) < purgeEvery {
		return nil
	}
	result, err := conn.ExecContext(ctx, purgeSQL, now.Add(-r.retention).UTC(), purgeSize)
	if err != nil {
		return databaseError{fmt.Errorf("purge the outbox: %w", err)}
	}
	if n, err := result.RowsAffected(); err == nil && n == purgeSize {
		return nil // there is more: go on after the next batch
	}
	r.purged = now
	return nil
}
