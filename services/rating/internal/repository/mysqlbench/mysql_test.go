//go:build bench

package mysqlbench

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"movieexample.com/fleet/services/internal/storage/storagetest"
	"movieexample.com/fleet/services/rating/internal/model"
	"movieexample.com/fleet/services/rating/internal/repository/mysql"
	"movieexample.com/fleet/test/bench/table"
	"movieexample.com/fleet/test/parts"
)

const (
	benchRounds = 15
	benchCalls  = 300 // of one kind in a round

	mostGrowth = 1.3 // times what reading the aggregate of 10 ratings takes
)

var server *parts.MariaDB //nolint:gochecknoglobals // one server for the benchmarks of this package

func TestMain(m *testing.M) {
	os.Exit(parts.WithMariaDB(func(s *parts.MariaDB) int { server = s; return m.Run() }))
}

// TestBenchAggregate reads the aggregates of records with ten, ten thousand and a million ratings. They take turns, so that
// what else the machine does meets all of them.
func TestBenchAggregate(t *testing.T) {
	db := storagetest.Migrated(t, server, mysql.Migrations())
	r := mysql.New(db)
	sizes := []int{10, 10_000, 1_000_000}
	for _, n := range sizes {
		fill(t, db, n)
	}
	took := make([][]time.Duration, len(sizes))
	for range benchRounds {
		for i, n := range sizes {
			took[i] = append(took[i], each(t, func() error {
				got, err := r.Aggregate(t.Context(), model.Record{Type: "movie", ID: fmt.Sprint(n)})
				if err == nil && got.Count != int64(n) {
					err = fmt.Errorf("count = %d, want %d", got.Count, n)
				}
				return err
			}))
		}
	}
	for i, n := range sizes {
		times := float64(middle(took[i])) / float64(middle(took[0]))
		table.Row(t, fmt.Sprintf("aggregate of a record with %d ratings", n), middle(took[i]).String())
		table.AtMost(t, fmt.Sprintf("of %d, times that of %d", n, sizes[0]), times, mostGrowth)
	}
}

// fillAtOnce is so small that a statement ends well within the time limit of the pool.
const fillAtOnce = 20_000

// fill gives the record named n so many ratings: how they came is not what is measured.
func fill(t *testing.T, db *sql.DB, n int) {
	t.Helper()
	for first := 1; first <= n; first += fillAtOnce {
		last := min(n, first+fillAtOnce-1)
		exec(t, db, "INSERT INTO ratings (record_type, record_id, user_id, deleted, value, occurred_at, create_time, update_time)"+
			fmt.Sprintf(" SELECT 'movie', ?, CONCAT('u', seq), FALSE, 3, NOW(6), NOW(6), NOW(6) FROM seq_%d_to_%d", first, last), n)
	}
	exec(t, db, "INSERT INTO rating_aggregates (record_type, record_id, rating_sum, rating_count) VALUES ('movie', ?, ?, ?)", n, 3*n, n)
}

func exec(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(context.Background(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

const upsertSQL = `
	INSERT INTO ratings (deleted, value, occurred_at, create_time, update_time, record_type, record_id, user_id)
	VALUES (FALSE, ?, ?, ?, ?, 'movie', ?, ?)
	ON DUPLICATE KEY UPDATE deleted = VALUES(deleted), value = VALUES(value), occurred_at = VALUES(occurred_at), update_time = VALUES(update_time)`

// TestBenchWrite tells what it costs beyond the row itself that writes have an order, and aggregates are exact.
func TestBenchWrite(t *testing.T) {
	db := storagetest.Migrated(t, server, mysql.Migrations())
	r := mysql.New(db)
	user, now := 0, time.Now().UTC().Truncate(time.Microsecond)
	write := func(id string) error {
		user++
		key := model.Key{Record: model.Record{Type: "movie", ID: id}, UserID: fmt.Sprint("u", user)}
		_, err := r.Write(t.Context(), model.Write{Key: key, Value: 4, OccurredAt: now}, now)
		return err
	}
	upsert := func(id string) error {
		user++
		_, err := db.ExecContext(t.Context(), upsertSQL, 4, now, now, now, id, fmt.Sprint("u", user))
		return err
	}
	var wrote, upserted []time.Duration
	for range benchRounds {
		wrote = append(wrote, each(t, func() error { return write("written") }))
		upserted = append(upserted, each(t, func() error { return upsert("upserted") }))
	}
	table.Row(t, "PutRating of a new rating, in the repository", middle(wrote).String())
	table.Row(t, "a bare upsert of the same row", middle(upserted).String())
	table.Row(t, "PutRating, times the bare upsert", fmt.Sprintf("%.2f", float64(middle(wrote))/float64(middle(upserted))))
}

// each is the mean time of a call in one round.
func each(t *testing.T, call func() error) time.Duration {
	t.Helper()
	began := time.Now()
	for range benchCalls {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
	return time.Since(began) / benchCalls
}

func middle(list []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(list))[len(list)/2]
}
