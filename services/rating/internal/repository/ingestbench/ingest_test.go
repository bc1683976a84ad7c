//go:build bench

package ingestbench

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/internal/storage/storagetest"
	"movieexample.com/fleet/services/rating/internal/model"
	"movieexample.com/fleet/services/rating/internal/repository/mysql"
	"movieexample.com/fleet/test/bench/table"
	"movieexample.com/fleet/test/parts"
)

const (
	benchRounds = 3
	singles     = 1000 // events a partition that are stored one by one: all of them would take minutes

	// leastTimesSingle and leastOfLimit are what batches are for.
	leastTimesSingle = 10
	leastOfLimit     = 0.3
)

var server *parts.MariaDB //nolint:gochecknoglobals // one server for the benchmarks of this package

// TestMain starts a server as one in production is set up: every commit reaches the disk, and what is in use fits into memory.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		s, err := parts.StartMariaDB("--innodb-flush-log-at-trx-commit=1", "--innodb-log-file-size=1G", "--innodb-buffer-pool-size=1G")
		if err != nil {
			fmt.Fprintln(os.Stderr, "MariaDB for the benchmarks:", err)
			return 1
		}
		defer s.Close()
		server = s
		return m.Run()
	}())
}

// TestBenchIngest stores the events, a fifth of which replace others, in batches; beside it, some of them one by one,
// and the limit: the same rows by plain upserts of many rows, which decide nothing and know no aggregates. They take turns.
func TestBenchIngest(t *testing.T) {
	for _, records := range []int{100_000, 500} {
		t.Run(fmt.Sprint(records, " records"), func(t *testing.T) {
			s, took := newStream(events(t), records), map[string][]cost{}
			for range benchRounds {
				for _, w := range ways() {
					t.Run(w.name, func(t *testing.T) { took[w.name] = append(took[w.name], run(t, s, w)) }) // drops its database
				}
			}
			if len(took) == len(ways()) { // and -run leaves none out
				tell(t, fmt.Sprintf("%d records", records), took)
			}
		})
	}
}

// way is one way to store events.
type way struct {
	name  string
	batch int
	most  int // events of a partition
	store func(*mysql.Repository, *sql.DB) store
}

func ways() []way {
	return []way{
		{"in batches of 1,000", 1000, math.MaxInt, ingested},
		{"in batches of 5,000", 5000, math.MaxInt, ingested},
		{"in batches of 20,000", 20_000, math.MaxInt, ingested},
		{"the limit", 5000, math.MaxInt, upserted},
		{"one by one", 1, singles, written},
	}
}

// store applies a batch of a partition that begins at an offset.
type store func(ctx context.Context, partition int32, from int64, batch []model.Write) error

// cost is what storing took: events a second, and processor time for one event.
type cost struct {
	rate           float64
	server, client time.Duration
}

func tell(t *testing.T, what string, took map[string][]cost) {
	t.Helper()
	for _, w := range ways() {
		costs, name := took[w.name], w.name
		m := middle(costs, func(c cost) float64 { return c.rate })
		table.Row(t, what+", "+name, fmt.Sprintf("%.0f events a second; processor time an event: server %.1f µs, client %.1f µs", m,
			middle(costs, func(c cost) float64 { return float64(c.server.Nanoseconds()) / 1000 }),
			middle(costs, func(c cost) float64 { return float64(c.client.Nanoseconds()) / 1000 })))
	}
	table.AtLeast(t, what+", batches of 5,000, times one by one", ratio(took["in batches of 5,000"], took["one by one"]), leastTimesSingle)
	table.AtLeast(t, what+", batches of 5,000, of the limit", ratio(took["in batches of 5,000"], took["the limit"]), leastOfLimit)
}

// ratio is the middle of the rounds' ratios: what else the machine did in a round met both.
func ratio(a, b []cost) float64 {
	all := make([]float64, len(a))
	for i := range a {
		all[i] = a[i].rate / b[i].rate
	}
	return middle(all, func(f float64) float64 { return f })
}

func middle[T any](list []T, of func(T) float64) float64 {
	values := make([]float64, len(list))
	for i, v := range list {
		values[i] = of(v)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// run stores the events in a database of its own, all partitions at once.
func run(t *testing.T, s *stream, w way) cost {
	t.Helper()
	db := storagetest.Migrated(t, server, mysql.Migrations())
	r := mysql.New(db)
	for p := range int32(partitions) {
		if _, err := r.Begin(t.Context(), source(p), 0); err != nil {
			t.Fatal(err)
		}
	}
	apply, pid := w.store(r, db), serverPID(t, db)
	serverBefore, clientBefore, began := processorTime(t, pid), processorTime(t, os.Getpid()), time.Now()
	var group sync.WaitGroup
	n := 0
	for p, all := range s.partitions {
		list := all[:min(w.most, len(all))]
		n += len(list)
		group.Go(func() { consume(t, int32(p), list, w.batch, apply) })
	}
	group.Wait()
	c := cost{
		rate:   float64(n) / time.Since(began).Seconds(),
		server: (processorTime(t, pid) - serverBefore) / time.Duration(n),
		client: (processorTime(t, os.Getpid()) - clientBefore) / time.Duration(n),
	}
	if n == s.events {
		check(t, db, s)
	}
	return c
}

func consume(t *testing.T, partition int32, list []model.Write, batch int, apply store) {
	from := int64(0)
	for part := range slices.Chunk(list, batch) {
		if err := apply(t.Context(), partition, from, part); err != nil {
			t.Errorf("store a batch = %v, want nil", err)
			return
		}
		from += int64(len(part))
	}
}

func source(partition int32) model.Source {
	return model.Source{Group: "bench", Topic: "ratings", Partition: partition}
}

func ingested(r *mysql.Repository, _ *sql.DB) store {
	return func(ctx context.Context, partition int32, from int64, batch []model.Write) error {
		span := model.Span{Source: source(partition), From: from, Next: from + int64(len(batch))}
		_, err := r.Ingest(ctx, span, batch, time.Now().UTC())
		return err
	}
}

// written is what the API does.
func written(r *mysql.Repository, _ *sql.DB) store {
	return func(ctx context.Context, _ int32, _ int64, batch []model.Write) error {
		_, err := r.Write(ctx, batch[0], time.Now().UTC())
		return err
	}
}

const (
	limitSQL = `
		INSERT INTO ratings (record_type, record_id, user_id, deleted, value, occurred_at, create_time, update_time) VALUES `
	limitRowSQL   = `(?, ?, ?, ?, ?, ?, ?, ?)`
	limitAfterSQL = `
		ON DUPLICATE KEY UPDATE deleted = VALUES(deleted), value = VALUES(value), occurred_at = VALUES(occurred_at),
			update_time = VALUES(update_time)`
	limitRows = 1000
)

// upserted stores rows in the order in which they came, as many in a transaction as batches have.
func upserted(_ *mysql.Repository, db *sql.DB) store {
	turns := semaphore.NewWeighted(4) // as many at once as Ingest has
	return func(ctx context.Context, _ int32, _ int64, batch []model.Write) error {
		if err := turns.Acquire(ctx, 1); err != nil {
			return err
		}
		defer turns.Release(1)
		return storage.InTx(ctx, db, func(ctx context.Context, tx *sql.Tx) error {
			now := time.Now().UTC()
			for part := range slices.Chunk(batch, limitRows) {
				args := make([]any, 0, 8*len(part))
				for _, w := range part {
					args = append(args, w.Key.Record.Type, w.Key.Record.ID, w.Key.UserID, w.Deleted, w.Value, w.OccurredAt, now, now)
				}
				statement := limitSQL + strings.Repeat(limitRowSQL+", ", len(part)-1) + limitRowSQL + limitAfterSQL
				if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// check wants what the events come to: a fast transaction that loses some is none.
func check(t *testing.T, db *sql.DB, s *stream) {
	t.Helper()
	var rows int64
	var of, in model.Aggregate
	if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*), SUM(value), SUM(NOT deleted) FROM ratings`).Scan(&rows, &of.Sum, &of.Count); err != nil {
		t.Fatal(err)
	}
	err := db.QueryRowContext(t.Context(), `SELECT COALESCE(SUM(rating_sum), 0), COALESCE(SUM(rating_count), 0) FROM rating_aggregates`).
		Scan(&in.Sum, &in.Count)
	if err != nil {
		t.Fatal(err)
	}
	none := model.Aggregate{} // the limit has none
	if rows != s.rows || of != s.sum || in != s.sum && in != none {
		t.Errorf("%d rows of %v, aggregates of %v, want %d of %v", rows, of, in, s.rows, s.sum)
	}
}

func serverPID(t *testing.T, db *sql.DB) int {
	t.Helper()
	var file string
	if err := db.QueryRowContext(t.Context(), "SELECT @@pid_file").Scan(&file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// processorTime is what a process has used: fields 14 and 15 of proc_pid_stat(5), in hundredths of a second.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, userErr := strconv.ParseInt(fields[11], 10, 64)
	system, systemErr := strconv.ParseInt(fields[12], 10, 64)
	if userErr != nil || systemErr != nil {
		t.Fatalf("/proc/%d/stat = %q", pid, text)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}
