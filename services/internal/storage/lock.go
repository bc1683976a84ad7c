package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

const (
	// The name is for the whole server, hence the database's name in it; it may have 64 characters, hence the hash.
	takeLockSQL = `SELECT GET_LOCK(CONCAT('fleet-', ?, '-', LEFT(SHA2(DATABASE(), 256), 32)), 0)`
	freeLockSQL = `SELECT RELEASE_LOCK(CONCAT('fleet-', ?, '-', LEFT(SHA2(DATABASE(), 256), 32)))`
)

// freeTime bounds how long giving a lock back takes.
const freeTime = 5 * time.Second

// Alone runs work while no other process does the work of that name on this database, at most 20 characters, and tells
// whether it ran: if another has it, that is no error, and nobody waits. Whoever loses the connection conn loses the lock,
// so what must not be done by two goes over conn.
func Alone(ctx context.Context, db *sql.DB, name string, work func(ctx context.Context, conn *sql.Conn) error) (ran bool, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return false, fmt.Errorf("connect: %w", err)
	}
	var got sql.NullBool
	if err := conn.QueryRowContext(ctx, takeLockSQL, name).Scan(&got); err != nil {
		discard(conn)
		return false, fmt.Errorf("take the lock %s: %w", name, err)
	}
	if !got.Bool {
		return false, conn.Close() // back to the pool
	}
	defer func() { err = errors.Join(err, free(ctx, conn, name)) }()
	return true, work(ctx, conn)
}

// free gives the lock back. A connection on which that fails is closed, which frees the lock too.
func free(ctx context.Context, conn *sql.Conn, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), freeTime)
	defer cancel()
	var freed sql.NullBool
	if err := conn.QueryRowContext(ctx, freeLockSQL, name).Scan(&freed); err != nil || !freed.Bool {
		discard(conn)
		return nil
	}
	return conn.Close()
}

// discard closes the connection itself, which may hold the lock.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // the way in which the pool is told
}
