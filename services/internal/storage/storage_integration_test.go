//go:build integration

package storage_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/test/parts"
)

var server *parts.MariaDB //nolint:gochecknoglobals // one server for the tests of this package

func TestMain(m *testing.M) {
	os.Exit(parts.WithMariaDB(func(s *parts.MariaDB) int { server = s; return m.Run() }))
}

// noLeaks fails a test that leaves goroutines of its own. The server's waiter belongs to TestMain.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	waiter := goleak.IgnoreAnyFunction("movieexample.com/fleet/test/parts.(*MariaDB).Start.func1")
	t.Cleanup(func() { goleak.VerifyNone(t, before, waiter) })
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func openDB(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := storage.Open(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func counterTable() map[string]string {
	return map[string]string{"0001_counter.sql": header + "CREATE TABLE IF NOT EXISTS counter (id INT PRIMARY KEY, n INT NOT NULL);"}
}

// A process that was killed between the two statements that make the table of versions leaves it empty.
func TestMigrateAfterAKillAtTheVeryBegin(t *testing.T) {
	noLeaks(t)
	dir := server.Database(t)
	db := openDB(t, dir)
	for _, step := range []string{"make it", "empty it"} {
		if err := storage.Migrate(t.Context(), dir, files(counterTable()), quiet()); err != nil {
			t.Fatalf("%s: Migrate = %v, want nil", step, err)
		}
		if _, err := db.ExecContext(t.Context(), "DELETE FROM goose_db_version"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMigrateByManyAtOnce(t *testing.T) {
	noLeaks(t)
	dir := server.Database(t)
	// Not repeatable on purpose: a second run of it would fail.
	migrations := files(map[string]string{
		"0001_a.sql": header + "CREATE TABLE a (id INT);", "0002_b.sql": header + "ALTER TABLE a ADD COLUMN b INT;",
	})
	var group sync.WaitGroup
	failures := make([]error, 6)
	for i := range failures {
		group.Go(func() { failures[i] = storage.Migrate(t.Context(), dir, migrations, quiet()) })
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatalf("Migrate by %d at once = %v, want nil", len(failures), err)
	}
	db := openDB(t, dir)
	var runs int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM goose_db_version WHERE version_id > 0").Scan(&runs); err != nil || runs != 2 {
		t.Errorf("migrations noted %d times, %v, want 2", runs, err)
	}
}

func TestMigrateNamesWhatFailed(t *testing.T) {
	noLeaks(t)
	dir := server.Database(t)
	migrations := files(map[string]string{
		"0001_a.sql": header + "CREATE TABLE a (id INT);", "0002_wrong.sql": header + "ALTER TABLE missing ADD COLUMN b INT;",
	})
	err := storage.Migrate(t.Context(), dir, migrations, quiet())
	if err == nil || !strings.Contains(err.Error(), "migration 0002_wrong.sql failed") || strings.Contains(err.Error(), "\n") {
		t.Fatalf("Migrate = %v, want one line that names 0002_wrong.sql", err)
	}
	err = storage.CheckSchema(t.Context(), openDB(t, dir), "rating", 2)
	if want := "the database's schema is at version 1 and rating needs 2: run `rating migrate`"; err == nil || err.Error() != want {
		t.Errorf("CheckSchema = %v, want %s", err, want)
	}
}

func TestMigrateAndReadyWhileTheServerIsAway(t *testing.T) {
	noLeaks(t)
	dir := server.Database(t)
	db := openDB(t, dir)
	ready := storage.Ready(db, "rating", 1)
	if err := ready(t.Context()); err == nil || !strings.Contains(err.Error(), "version 0") {
		t.Errorf("Ready before migrating = %v, want version 0", err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := ready(t.Context()); !storage.Away(err) {
		t.Errorf("Ready without a server = %v, want one that counts as away", err)
	}
	log := &lines{seen: make(chan struct{}, 1)}
	done := make(chan error, 1)
	go func() {
		done <- storage.Migrate(t.Context(), dir, files(counterTable()), slog.New(slog.NewTextHandler(log, nil)))
	}()
	<-log.seen
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Migrate after the server came back = %v, want nil; its log:\n%s", err, log)
	}
	if !strings.Contains(log.String(), "Waiting for the database") {
		t.Errorf("log = %s, want a line about waiting", log)
	}
	if err := ready(t.Context()); err != nil {
		t.Errorf("Ready after the server came back = %v, want nil with the same pool", err)
	}
}

// lines is a log that tells when its first line is there.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	seen chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.seen <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestMigrateGivesUpWithItsContext(t *testing.T) {
	noLeaks(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	missing := filepath.Join(t.TempDir(), "mysql")
	err := storage.Migrate(ctx, missing, files(counterTable()), quiet())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Migrate without a binding = %v, want deadline exceeded", err)
	}
}

func TestInTxCountsExactly(t *testing.T) {
	noLeaks(t)
	dir := server.Database(t)
	if err := storage.Migrate(t.Context(), dir, files(counterTable()), quiet()); err != nil {
		t.Fatal(err)
	}
	db := openDB(t, dir)
	if _, err := db.ExecContext(t.Context(), "INSERT INTO counter VALUES (1, 0), (2, 0)"); err != nil {
		t.Fatal(err)
	}
	const writers, each = 8, 10
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for range each {
				// Half of the writers lock in the other order: deadlocks are certain.
				if err := storage.InTx(t.Context(), db, bump(1+w%2, 2-w%2)); err != nil {
					t.Errorf("InTx = %v, want nil", err)
				}
			}
		})
	}
	group.Wait()
	var a, b int
	if err := db.QueryRowContext(t.Context(), "SELECT SUM(IF(id=1,n,0)), SUM(IF(id=2,n,0)) FROM counter").Scan(&a, &b); err != nil {
		t.Fatal(err)
	}
	if a != writers*each || b != writers*each {
		t.Errorf("counters = %d, %d, want both %d", a, b, writers*each)
	}
}

func bump(ids ...int) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, "UPDATE counter SET n = n + 1 WHERE id = ?", id); err != nil {
				return fmt.Errorf("bump: %w", err)
			}
		}
		return nil
	}
}

func TestInTxRunsARacedTransactionAgainAndRollsBack(t *testing.T) {
	noLeaks(t)
	dir := server.Database(t)
	if err := storage.Migrate(t.Context(), dir, files(counterTable()), quiet()); err != nil {
		t.Fatal(err)
	}
	db := openDB(t, dir)
	runs := 0
	err := storage.InTx(t.Context(), db, func(ctx context.Context, tx *sql.Tx) error {
		if runs++; runs > 3 {
			return nil
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO counter VALUES (?, 0)", runs); err != nil {
			return err
		}
		return fmt.Errorf("insert: %w", storage.ErrRaced)
	})
	var rows int
	if scan := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM counter").Scan(&rows); scan != nil {
		t.Fatal(scan)
	}
	if err != nil || runs != 4 || rows != 0 {
		t.Errorf("InTx = %v after %d runs leaving %d rows, want nil after 4 leaving 0", err, runs, rows)
	}
}

func TestNewConnectionsUseChangedCredentials(t *testing.T) {
	noLeaks(t)
	dir := server.Database(t)
	db := openDB(t, dir)
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	user, err := os.ReadFile(filepath.Join(dir, "username"))
	if err != nil {
		t.Fatal(err)
	}
	server.Exec(t, "SET PASSWORD FOR "+string(user)+"@'%' = PASSWORD('changed')")
	db.SetMaxIdleConns(0) // what maxLifetime does in time: the next use connects anew
	if err := db.PingContext(t.Context()); !storage.Away(err) || problem.KindOf(storage.Problem(err)) != problem.Unavailable {
		t.Errorf("Ping with the old password = %v, want one that counts as away", err)
	}
	parts.WriteBinding(t, dir, map[string]string{"password": "changed"})
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("Ping after the binding changed = %v, want nil", err)
	}
}

func TestSessionIsStrictAndUTC(t *testing.T) {
	noLeaks(t)
	var mode, zone string
	err := openDB(t, server.Database(t)).QueryRowContext(t.Context(), "SELECT @@sql_mode, @@time_zone").Scan(&mode, &zone)
	if err != nil || !strings.Contains(mode, "STRICT_ALL_TABLES") || zone != "+00:00" {
		t.Errorf("session has sql_mode %q, time_zone %q, %v, want strict and UTC", mode, zone, err)
	}
}
