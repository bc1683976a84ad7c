//go:build integration

package storage_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"movieexample.com/fleet/services/internal/storage"
)

func TestOneWorksAlone(t *testing.T) {
	noLeaks(t)
	dir := server.Database(t)
	one, other := openDB(t, dir), openDB(t, dir)
	elsewhere := openDB(t, server.Database(t))
	alone := func(db *sql.DB, name string) bool {
		t.Helper()
		ran, err := storage.Alone(t.Context(), db, name, func(context.Context, *sql.Conn) error { return nil })
		if err != nil {
			t.Errorf("Alone = %v, want nil", err)
		}
		return ran
	}
	failure := errors.New("the work failed")
	ran, err := storage.Alone(t.Context(), one, "work", func(context.Context, *sql.Conn) error {
		if alone(other, "work") {
			t.Error("Alone ran while another process was at it")
		}
		if !alone(other, "other work") || !alone(elsewhere, "work") {
			t.Error("Alone did not run, want it to: the other has another name, or another database")
		}
		return failure
	})
	if !ran || !errors.Is(err, failure) {
		t.Errorf("Alone = %t, %v, want it to run, and the work's error", ran, err)
	}
	if !alone(other, "work") {
		t.Error("Alone did not run after the other had ended")
	}
}

// Who loses the connection has lost the lock: another may work, and the first cannot go on over conn.
func TestWhoLosesTheConnectionLosesTheLock(t *testing.T) {
	dir := server.Database(t)
	one, other := openDB(t, dir), openDB(t, dir)
	_, err := storage.Alone(t.Context(), one, "work", func(ctx context.Context, conn *sql.Conn) error {
		var id string
		if err := conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
			return err
		}
		server.Exec(t, "KILL CONNECTION "+id)
		eventually(t, "another works after the first has lost its connection", func() bool { // the server frees the lock after its answer
			ran, err := storage.Alone(ctx, other, "work", func(context.Context, *sql.Conn) error { return nil })
			if err != nil {
				t.Fatalf("Alone = %v, want nil", err)
			}
			return ran
		})
		_, err := conn.ExecContext(ctx, "DO 1")
		return err
	})
	if err == nil {
		t.Error("work over a connection that was lost = nil, want an error")
	}
}
