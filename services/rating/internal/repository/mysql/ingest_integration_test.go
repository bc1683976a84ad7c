//go:build integration

package mysql_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/internal/storage/storagetest"
	"movieexample.com/fleet/services/rating/internal/model"
	"movieexample.com/fleet/services/rating/internal/repository/mysql"
)

var (
	film   = model.Record{Type: "movie", ID: "tt0001"}
	source = model.Source{Group: "rating", Topic: "ratings", Partition: 3}
)

func begin(t *testing.T, r *mysql.Repository, s model.Source) {
	t.Helper()
	if _, err := r.Begin(t.Context(), s, 0); err != nil {
		t.Fatal(err)
	}
}

// asker is a pool or a transaction.
type asker interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// status reads a counter of the server.
func status(t *testing.T, from asker, name string) (value int) {
	t.Helper()
	var ignored string
	if err := from.QueryRowContext(t.Context(), "SHOW GLOBAL STATUS LIKE '"+name+"'").Scan(&ignored, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func until(t *testing.T, what string, ask func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ask(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s: not true that %s", what)
		}
	}
}

// ingesting runs a batch of one rating beside a transaction that has taken the record's aggregate, and gives the batch's
// error when it has ended. Whoever waits asks by that transaction: the server ends one that says nothing for five seconds.
func ingesting(t *testing.T, db *sql.DB, r *mysql.Repository) (*sql.Tx, <-chan error) {
	t.Helper()
	begin(t, r, source)
	rate(t, r, "ben", 1, 3, noon)
	other, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Rollback() }) // committed, if all went well
	exec(t, other, "UPDATE rating_aggregates SET rating_sum = rating_sum + 1 WHERE record_id = ?", film.ID)
	// It has changed more rows than the batch, so it is not the one that the server ends.
	exec(t, other, "INSERT INTO outbox (event_id, type, record, actor, subject, create_time, trace) SELECT seq, '', '', '', '', NOW(), '' FROM seq_1_to_200")
	waits, ended := status(t, db, "Innodb_row_lock_waits"), make(chan error, 1)
	go func() {
		w := model.Write{Key: model.Key{Record: film, UserID: "ann"}, Value: 5, OccurredAt: noon}
		_, err := r.Ingest(context.WithoutCancel(t.Context()), model.Span{Source: source, Next: 1}, []model.Write{w}, noon)
		ended <- err
	}()
	until(t, "the batch waits for the aggregate", func() bool { return status(t, other, "Innodb_row_lock_waits") > waits })
	return other, ended
}

func exec(t *testing.T, tx *sql.Tx, statement string, args ...any) {
	t.Helper()
	if _, err := tx.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// wantTaken wants the other transaction's change and the batch's, once each.
func wantTaken(t *testing.T, r *mysql.Repository, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("Ingest = %v, want nil", err)
	}
	want := model.Aggregate{Sum: 3 + 1 + 5, Count: 2}
	if got, err := r.Aggregate(t.Context(), film); err != nil || got != want {
		t.Errorf("Aggregate = %v, %v, want %v", got, err, want)
	}
	if next, found, err := r.Position(t.Context(), source); next != 1 || !found || err != nil {
		t.Errorf("Position = %d, %t, %v, want 1", next, found, err)
	}
}

func TestBatchIsRunAgainAfterADeadlock(t *testing.T) {
	db := storagetest.Migrated(t, server, mysql.Migrations())
	r := mysql.New(db)
	deadlocks := status(t, db, "Innodb_deadlocks")
	other, ended := ingesting(t, db, r)
	exec(t, other, "SELECT 1 FROM ratings WHERE record_id = ? AND record_type = 'movie' AND user_id = 'ann' FOR UPDATE", film.ID)
	if got := status(t, db, "Innodb_deadlocks"); got != deadlocks+1 {
		t.Errorf("the server has met %d deadlocks, want one", got-deadlocks)
	}
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	wantTaken(t, r, <-ended)
}

func TestBatchIsRunAgainAfterALockTimeout(t *testing.T) {
	db := storagetest.Migrated(t, server, mysql.Migrations())
	r := mysql.New(db)
	other, ended := ingesting(t, db, r)
	waits := status(t, other, "Innodb_row_lock_waits")
	until(t, "the batch has given up and waits again", func() bool { return status(t, other, "Innodb_row_lock_waits") > waits })
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	wantTaken(t, r, <-ended)
}

// The outbox tells of requests only.
func TestIngestedEventsDoNotPassTheOutbox(t *testing.T) {
	db := storagetest.Migrated(t, server, mysql.Migrations())
	r := mysql.NewTelling(db, outbox.New())
	begin(t, r, source)
	w := model.Write{Key: model.Key{Record: film, UserID: "ann"}, Value: 5, OccurredAt: noon}
	if _, err := r.Ingest(t.Context(), model.Span{Source: source, Next: 1}, []model.Write{w}, noon); err != nil {
		t.Fatal(err)
	}
	rate(t, r, "ben", 1, 3, noon)
	var told string
	if err := db.QueryRowContext(t.Context(), "SELECT GROUP_CONCAT(subject) FROM outbox").Scan(&told); err != nil || told != "ben" {
		t.Errorf("the outbox tells of %q, %v, want ben only", told, err)
	}
}

// Users are erased, by two processes at once, while batches with ratings of theirs and of others come.
func TestEraseBesideBatches(t *testing.T) {
	db := storagetest.Migrated(t, server, mysql.Migrations())
	r := mysql.NewTelling(db, outbox.New())
	const users, films, rounds = 6, 40, 5
	var consumers, erasers sync.WaitGroup
	for partition := range int32(3) {
		s := source
		s.Partition = partition
		begin(t, r, s)
		consumers.Go(func() {
			for round := range rounds {
				var batch []model.Write
				for i := range users * films { // every user meets every film in each partition
					key := model.Key{Record: model.Record{Type: "movie", ID: fmt.Sprintf("tt%04d", i%films)}, UserID: fmt.Sprint("user", i/films)}
					w := model.Write{Key: key, Value: (i + round) % 6, OccurredAt: noon.Add(time.Duration(round) * time.Hour)}
					w.Deleted = w.Value == 0
					batch = append(batch, w)
				}
				span := model.Span{Source: s, From: int64(round), Next: int64(round + 1)}
				if _, err := r.Ingest(context.WithoutCancel(t.Context()), span, batch, noon); err != nil {
					t.Errorf("Ingest = %v, want nil", err)
				}
			}
		})
	}
	for i := range 4 {
		erasers.Go(func() {
			for range 5 {
				if _, err := r.Erase(context.WithoutCancel(t.Context()), fmt.Sprint("user", i%2), noon); err != nil {
					t.Errorf("Erase = %v, want nil", err)
				}
			}
		})
	}
	consumers.Wait()
	erasers.Wait()
	wantSums(t, db)
	for user := range 2 {
		if _, err := r.Erase(t.Context(), fmt.Sprint("user", user), noon); err != nil {
			t.Fatal(err)
		}
		if got := count(t, r, fmt.Sprint("user", user)); got.Ratings+got.Tombstones != 0 {
			t.Errorf("Count of a user who was erased = %+v, want nothing", got)
		}
	}
	wantSums(t, db)
	if got := count(t, r, "user2"); got.Ratings+got.Tombstones != films {
		t.Errorf("Count of a user who was not erased = %+v, want %d rows", got, films)
	}
}
