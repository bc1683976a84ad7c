package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// waitLongest is the longest pause between two looks at a database that is away.
const waitLongest = 5 * time.Second

// Migrate brings the database of the binding in dir to the newest schema in files. It waits for a database that is away,
// as long as ctx lives, with a log line each time it looks. Several processes may run it at once: one works, the others
// wait and find nothing left to do. A migration that fails is an error that names it.
func Migrate(ctx context.Context, dir string, files fs.FS, log *slog.Logger) error {
	if err := Check(files); err != nil {
		return err
	}
	db, err := open(dir, 0, log)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // the pool holds nothing that closing could lose
	for attempt := 1; ; attempt++ {
		err := migrate(ctx, db, files, log)
		if err == nil || !Away(err) || ctx.Err() != nil {
			return err
		}
		next := min(250*time.Millisecond<<min(attempt-1, 5), waitLongest)
		log.Warn("Waiting for the database", "error", err, "next_attempt", next)
		if err := pause(ctx, next); err != nil {
			return fmt.Errorf("database still away: %w", err)
		}
	}
}

func migrate(ctx context.Context, db *sql.DB, files fs.FS, log *slog.Logger) error {
	if err := checkServer(ctx, db); err != nil {
		return err
	}
	if err := keepVersions(ctx, db, namedLock{log}); err != nil {
		return fmt.Errorf("make the table of versions: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectMySQL, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(namedLock{log}))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return failed(err)
	}
	for _, r := range results {
		log.Info("Migration applied", "migration", r.Source.Path, "took", r.Duration)
	}
	version, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	log.Info("Database schema is up to date", "schema", version)
	return nil
}

// keepVersions makes goose's table, with the row that it begins with, while nobody else does. Goose makes it without a lock,
// and a process that finds it between the two statements, or after one was killed there, takes it for damaged.
func keepVersions(ctx context.Context, db *sql.DB, lock namedLock) (err error) {
	store, err := database.NewStore(database.DialectMySQL, goose.DefaultTablename)
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := lock.SessionLock(ctx, conn); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.SessionUnlock(context.WithoutCancel(ctx), conn)) }()
	versions, err := store.ListMigrations(ctx, conn)
	if isNumber(err, errNoSuchTable) {
		err = store.CreateVersionTable(ctx, conn)
	}
	if err != nil || len(versions) > 0 {
		return err
	}
	return store.Insert(ctx, conn, database.InsertRequest{Version: 0})
}

// failed names the migration at fault, if it was one.
func failed(err error) error {
	if partial, ok := errors.AsType[*goose.PartialError](err); ok {
		return fmt.Errorf("migration %s failed: %w", partial.Failed.Source.Path, partial.Err)
	}
	return fmt.Errorf("migrate: %w", err)
}

const (
	// The name is for the whole server, hence the database's name in it; it may have 64 characters, hence the hash.
	lockSQL   = `SELECT GET_LOCK(CONCAT('fleet-migrate-', LEFT(SHA2(DATABASE(), 256), 32)), 5)`
	unlockSQL = `SELECT RELEASE_LOCK(CONCAT('fleet-migrate-', LEFT(SHA2(DATABASE(), 256), 32)))`
)

// namedLock is the server's GET_LOCK on the very connection that the migrations run on (goose pins one): whoever loses
// the connection loses the lock, and cannot go on either. It is not left to goose, whose own lock for MySQL is a row in a
// table that outlives a killed process by its lease.
type namedLock struct{ log *slog.Logger }

func (l namedLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	for {
		var got sql.NullBool
		if err := conn.QueryRowContext(ctx, lockSQL).Scan(&got); err != nil {
			return fmt.Errorf("take the migration lock: %w", err)
		}
		if got.Bool {
			return nil
		}
		l.log.Info("Waiting for another process that is migrating this database")
	}
}

func (l namedLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	var freed sql.NullBool
	if err := conn.QueryRowContext(ctx, unlockSQL).Scan(&freed); err != nil {
		return fmt.Errorf("free the migration lock: %w", err)
	}
	return nil
}
